using T2R.Ops;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops;

public class LinearTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_replayed_product_has_the_values_and_gradients_of_a_computed_one(bool weightIsTrained)
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        var (x, w, dy) = (randn(2, 5, 6), randn(4, 6), randn(2, 5, 4));
        var expected = Differentiate(x, w, dy, weightIsTrained, (a, b) => nn.functional.linear(a, b));
        var actual = Differentiate(x, w, dy, weightIsTrained, (a, b) => SwiGluTests.Replay(tape => Linear.Apply(a, b, tape)));
        Assert.Equal(weightIsTrained, actual.Weight is not null);
        Assert.True(actual.Output.equal(expected.Output).all().item<bool>());
        Assert.True(actual.Input.allclose(expected.Input, 1e-6, 1e-6));
        Assert.True(!weightIsTrained || actual.Weight!.allclose(expected.Weight!, 1e-6, 1e-6));
    }

    [Fact]
    public void Sums_over_rows_are_the_gradient_of_all()
    {
        using var scope = NewDisposeScope();
        var (x, dy) = (randn(7, 3, ScalarType.Float64), randn(7, 2, ScalarType.Float64));
        Tensor? sum = null;
        for (int i = 0; i < 7; i += 3)
        {
            int count = Math.Min(3, 7 - i);
            Linear.AccumulateWeightGradient(ref sum, dy.narrow(0, i, count), x.narrow(0, i, count));
        }

        using (sum)
        {
            Assert.True(sum!.allclose(dy.t().matmul(x), 1e-12, 1e-12));
        }
    }

    // Eight roundings of sums that grow are √(Σ j/8) = 2.12 times as far off as one; a product rounded before it is added would make them more.
    [Fact]
    public void A_sum_over_bf16_rows_is_rounded_once_a_call()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var (x, dy) = (randn(8192, 256).to(ScalarType.BFloat16), randn(8192, 192).to(ScalarType.BFloat16));
        var exact = dy.to(ScalarType.Float32).t().matmul(x.to(ScalarType.Float32));
        Tensor? sum = null;
        for (int i = 0; i < 8192; i += 1024)
        {
            Linear.AccumulateWeightGradient(ref sum, dy.narrow(0, i, 1024), x.narrow(0, i, 1024));
        }

        using (sum)
        {
            Assert.InRange(Error(sum!) / Error(dy.t().matmul(x)), 1.5, 2.25);
        }

        double Error(Tensor t) => (t.to(ScalarType.Float32) - exact).norm().item<float>();
    }

    private static (Tensor Output, Tensor Input, Tensor? Weight) Differentiate(Tensor x, Tensor w, Tensor dy, bool weightIsTrained, Func<Tensor, Tensor, Tensor> apply)
    {
        var (a, b) = (x.detach().requires_grad_(), w.detach().requires_grad_(weightIsTrained));
        var y = apply(a, b);
        autograd.backward([y], [dy]);
        return (y.detach(), a.grad!, b.grad);
    }
}
