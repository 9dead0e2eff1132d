using T2R.Interop;
using T2R.Interop.Cuda;
using T2R.Models;
using T2R.Ops;
using T2R.Ops.GatedSlot;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>Kernels, loading and memory on a card that is not the first.</summary>
public class SecondCardTests
{
    private const string Lack = "no two CUDA devices";

    [Fact(Skip = Lack, SkipUnless = nameof(Gpu.TwoPresent), SkipType = typeof(Gpu))]
    public void Every_kernel_gives_the_bits_of_the_first_card()
    {
        using var scope = NewDisposeScope();
        Tensor[] first = Run(CUDA), second = Run(Gpu.Second);
        Assert.All(second, t => Assert.Equal(1, t.device_index));
        Assert.All(first.Zip(second), p => Assert.True(TensorMemory.Bytes(p.First.cpu()).SequenceEqual(TensorMemory.Bytes(p.Second.cpu()))));
    }

    [Fact(Skip = Lack, SkipUnless = nameof(Gpu.TwoPresent), SkipType = typeof(Gpu))]
    public void What_names_no_card_still_goes_to_the_first()
    {
        using var scope = NewDisposeScope();
        Run(Gpu.Second);
        Assert.Equal(0, empty(1, device: CUDA).device_index);
    }

    [Fact(Skip = Lack, SkipUnless = nameof(Gpu.TwoPresent), SkipType = typeof(Gpu))]
    public void Nothing_is_missing_there() => Assert.Empty(MissingKernels.On(TrainedModel.Config, ScalarType.BFloat16, Gpu.Second));

    [Fact(Skip = Lack, SkipUnless = nameof(Gpu.TwoPresent), SkipType = typeof(Gpu))]
    public void Its_memory_is_read_and_filled()
    {
        using var scope = NewDisposeScope();
        long first = CudaMemory.Now(device: 0).Used, second = CudaMemory.Now(device: 1).Used;
        using var taken = empty(1L << 30, ScalarType.Byte, Gpu.Second);
        Assert.InRange(CudaMemory.Now(device: 1).Used - second, 1L << 29, 1L << 32);
        Assert.InRange(CudaMemory.Now(device: 0).Used - first, 0, 1L << 29);
        using WeightSet expected = WeightSet.Random(TrainedModel.Config, 3, CPU, ScalarType.BFloat16), actual = WeightSet.Random(TrainedModel.Config, 3, Gpu.Second, ScalarType.BFloat16);
        Assert.All(expected.All.Zip(actual.All), p => Assert.True(p.First.Tensor.eq(p.Second.Tensor.cpu()).all().item<bool>()));
    }

    // What each kernel file's kernels give, forward and backward, of the same numbers.
    private static Tensor[] Run(Device device)
    {
        using var generator = new Generator(1, CPU);
        Tensor Draw(params long[] shape) => empty(shape).normal_(0, 1, generator).to(ScalarType.BFloat16).to(device);
        Tensor[] leaves = [.. new[] { Draw(2, 200, 4, 64), Draw(2, 200, 2, 64), Draw(2, 200, 2, 64), Draw(2, 200, 2, 32), Draw(256), Draw(2, 200, 256) }.Select(x => x.requires_grad_())];
        var (q, k, v, f, norm, up) = (leaves[0], leaves[1], leaves[2], leaves[3], leaves[4], leaves[5]);
        Assert.True(CudaChunk.Takes(q, k, v, f, maps: true));
        var (o, _) = GatedSlotMaps.Apply(GatedSlotForm.Chunk, q, k, v, f, normalizer: 8);
        var rows = o.reshape(2, 200, 256);
        Assert.NotNull(CudaRmsNorm.Of(rows.flatten(0, 1), silu: true));
        var normed = RmsNorm.ApplyToSilu(rows, norm, 1e-5);
        Assert.True(CudaSwiGlu.Takes(normed, 256));
        var y = GatedProduct.Apply(normed, up);
        Autograd.Backward([y], [Draw(2, 200, 256)]);

        using var off = no_grad();
        Tensor[] gradients = [.. leaves.Select(x => x.grad!)];
        Assert.All(gradients, g => Assert.True(CudaSumOfSquares.Takes(g)));
        var (logits, next) = (Draw(64, 1000), arange(64, device: device));
        Assert.True(CudaCrossEntropy.Takes(logits));
        var (dLogits, crossEntropy, _) = new CrossEntropy(Scale: 1, TeacherScale: 0, Temperature: 1).Of(logits, null, next);
        return [y.detach(), .. gradients, SumOfSquares.Of(gradients), dLogits, crossEntropy];
    }
}
