using T2R.Interop;
using T2R.Interop.Cuda;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

public class DispatcherTests
{
    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(ScalarType.Float32, 1e-5)]
    [InlineData(ScalarType.BFloat16, 1e-2)]
    public void Attention_on_the_card_equals_fp32_on_the_CPU_in_values_and_gradients(ScalarType dtype, double tolerance)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Tensor[] inputs = [randn(2, 8, 100, 64), randn(2, 2, 100, 64), randn(2, 2, 100, 64)];
        inputs = [.. inputs.Select(x => x.to(dtype).to(float32))];
        var output = randn(2, 8, 100, 64);
        Tensor[] expected = Differentiate(inputs, output), actual = Differentiate([.. inputs.Select(x => x.to(dtype).cuda())], output.to(dtype).cuda());
        foreach (var (a, b) in actual.Zip(expected))
        {
            double error = ((a.to(float32).cpu() - b).norm() / b.norm()).item<float>();
            Assert.True(error < tolerance, $"relative error {error}");
        }
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void The_driver_lists_the_devices_torch_sees()
    {
        Assert.Equal(cuda.device_count(), CudaDevice.All().Count);
        Assert.All(CudaDevice.All(), d => Assert.True(d.Memory > 0 && d.Name.Length > 0));
    }

    // The output and the gradients of q, k, v.
    private static Tensor[] Differentiate(Tensor[] inputs, Tensor gradient)
    {
        Tensor[] leaves = [.. inputs.Select(x => x.detach().requires_grad_())];
        var y = Dispatcher.ScaledDotProductAttention(leaves[0], leaves[1], leaves[2], isCausal: true, scale: 0.2, enableGqa: true);
        autograd.backward([y], [gradient]);
        return [y.detach(), .. leaves.Select(x => x.grad!)];
    }
}
