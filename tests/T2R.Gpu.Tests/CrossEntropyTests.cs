using T2R.Ops;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>The loss by its kernel in bf16 against float64 on the CPU: sums within 1e-5, the gradient within 5e-3 in norm.</summary>
public class CrossEntropyTests
{
    private static readonly CrossEntropy Scales = new(0.3, 0.7, 2.5);

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(1, 8, false)]
    [InlineData(7, 5, true)]
    [InlineData(129, 32000, false)]
    [InlineData(129, 32000, true)]
    [InlineData(33, 32001, false)]
    [InlineData(33, 32001, true)]
    [InlineData(5, 131072, true)]
    public void Losses_and_gradient_are_those_of_the_formula(int rows, int vocabulary, bool taught)
    {
        using var scope = NewDisposeScope();
        var (z, t, next) = Inputs(rows, vocabulary);
        var (dz, cross, divergence) = OnCard(z, taught ? t : null, next);
        var (expectedDz, expectedCross, expectedDivergence) = Scales.Of(Wide(z), taught ? Wide(t) : null, next);
        Assert.Equal(1, (cross.cpu() / expectedCross).item<double>(), 1e-5);
        Assert.InRange(((Wide(dz.cpu()) - expectedDz).norm() / expectedDz.norm()).item<double>(), 0, 5e-3);
        Assert.Equal(taught, divergence is not null);
        if (taught)
        {
            Assert.Equal(1, (divergence!.cpu() / expectedDivergence!).item<double>(), 1e-5);
        }
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_row_without_a_prediction_has_neither_loss_nor_gradient()
    {
        using var scope = NewDisposeScope();
        var (z, t, _) = Inputs(3, 40);
        var (dz, cross, divergence) = OnCard(z, t, full(3, -100L, ScalarType.Int64));
        Assert.Equal(0, dz.count_nonzero().item<long>());
        Assert.Equal(0, cross.item<double>());
        Assert.Equal(0, divergence!.item<double>());
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void The_same_rows_give_the_same_bits()
    {
        using var scope = NewDisposeScope();
        var (z, t, next) = Inputs(257, 32000);
        var first = OnCard(z, t, next);
        for (int i = 0; i < 10; i++)
        {
            using var inner = NewDisposeScope();
            var again = OnCard(z, t, next);
            Assert.True(first.Gradient.equal(again.Gradient).all().item<bool>());
            Assert.Equal(first.CrossEntropy.item<double>(), again.CrossEntropy.item<double>());
            Assert.Equal(first.Divergence!.item<double>(), again.Divergence!.item<double>());
        }
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void The_gradient_lies_where_the_logits_lay()
    {
        using var scope = NewDisposeScope();
        var (z, _, next) = Inputs(3, 40);
        var logits = z.cuda();
        Assert.True(CudaCrossEntropy.Takes(logits));
        Assert.Same(logits, Scales.Of(logits, null, next.cuda()).Gradient);
    }

    private static (Tensor Gradient, Tensor CrossEntropy, Tensor? Divergence) OnCard(Tensor z, Tensor? t, Tensor next) => Scales.Of(z.cuda(), t?.cuda(), next.cuda());

    // Every third row predicts nothing, the last one excepted.
    private static (Tensor Logits, Tensor Teacher, Tensor Next) Inputs(int rows, int vocabulary)
    {
        manual_seed(rows);
        var next = randint(vocabulary, rows, ScalarType.Int64);
        long[] skipped = [.. Enumerable.Range(0, rows - 1).Where(i => i % 3 == 2).Select(i => (long)i)];
        if (skipped.Length > 0)
        {
            next.index_fill_(0, tensor(skipped), -100);
        }

        return ((randn(rows, vocabulary) * 4).to(ScalarType.BFloat16), (randn(rows, vocabulary) * 4).to(ScalarType.BFloat16), next);
    }

    private static Tensor Wide(Tensor x) => x.to(ScalarType.Float64);
}
