using T2R.Ops;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>The sum of squares by its kernels against float64 on the CPU.</summary>
public class SumOfSquaresTests
{
    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void Tensors_of_every_size_dtype_and_place_are_summed()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Tensor[] tensors =
        [
            Half(randn(1) + 1), Half(randn(4099)), randn(7), randn(1000, 1003) * 3, Half(randn(5001, 1003)), Half(randn(64, 64)).t(), Half(randn(4096)).narrow(0, 3, 1001), randn(0),
            .. Enumerable.Range(1, 150).Select(i => i % 3 == 0 ? randn(i * 331) : Half(randn(i * 331))),
        ];
        double expected = tensors.Sum(x => x.to(ScalarType.Float64).square().sum().item<double>());
        Assert.Equal(1, Kernels(tensors) / expected, 1e-6);
        Assert.All(tensors.Where(t => t.numel() > 0), t => Assert.Equal(1, Kernels([t]) / t.to(ScalarType.Float64).square().sum().item<double>(), 1e-6));
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void The_same_tensors_give_the_same_bits_and_what_is_not_finite_shows()
    {
        using var scope = NewDisposeScope();
        Tensor[] tensors = [Half(randn(3000, 5000)), randn(4096)];
        double first = Kernels(tensors);
        Assert.All(Enumerable.Range(0, 10), _ => Assert.Equal(first, Kernels(tensors)));
        Assert.Equal(double.NaN, Kernels([.. tensors, full(9, float.NaN)]));
        Assert.Equal(double.PositiveInfinity, Kernels([.. tensors, full(9, float.PositiveInfinity)]));
    }

    private static double Kernels(Tensor[] tensors)
    {
        Tensor[] card = [.. tensors.Select(t => t.is_contiguous() && t.storage_offset() == 0 ? t.cuda() : OnCard(t))];
        Assert.All(card, t => Assert.True(CudaSumOfSquares.Takes(t)));
        return SumOfSquares.Of(card).item<double>();
    }

    // In the same order and place within other memory.
    private static Tensor OnCard(Tensor t) => t.is_contiguous() ? cat([zeros(t.storage_offset(), t.dtype), t]).cuda().narrow(0, t.storage_offset(), t.numel()) : t.t().contiguous().cuda().t();

    private static Tensor Half(Tensor x) => x.to(ScalarType.BFloat16);
}
