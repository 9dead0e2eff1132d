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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Maps_of_one_input_have_the_values_and_gradients_of_maps_one_by_one(bool replayed)
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        Tensor[] inputs = [randn(2, 5, 6, ScalarType.Float64), .. new long[] { 4, 3, 2 }.Select(o => randn(o, 6, ScalarType.Float64))];

        // The first map is frozen, and nothing reads what the last one gives.
        var expected = Gradients(x => [.. x[1..].Select(w => nn.functional.linear(x[0], w))]);
        var actual = Gradients(x =>
        {
            using var tape = Tape.Record();
            if (replayed)
            {
                using var off = no_grad();
                foreach (var y in Linear.Apply(x[0], x[1..], tape))
                {
                    y.Dispose();
                }
            }

            tape.Rewind();
            return [.. Linear.Apply(x[0], x[1..], tape)];
        });
        Assert.Null(actual[1]);
        Assert.Null(actual[3]);
        Assert.All(new[] { 0, 2, 4, 5, 6 }, i => Assert.True(actual[i]!.allclose(expected[i]!, 1e-12, 1e-12)));

        // Gradients of the inputs, then the values.
        Tensor?[] Gradients(Func<Tensor[], Tensor[]> apply)
        {
            Tensor[] leaves = [.. inputs.Select((t, i) => t.detach().requires_grad_(i != 1))];
            var y = apply(leaves);
            (y[0].square().sum() + y[1].exp().sum()).backward();
            return [.. leaves.Select(l => l.grad), .. y.Select(t => t.detach())];
        }
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
