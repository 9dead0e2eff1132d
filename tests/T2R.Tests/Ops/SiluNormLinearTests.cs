using T2R.Ops;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops;

public class SiluNormLinearTests
{
    private const double Epsilon = 1e-3;

    [Theory]
    [InlineData(9, 6, false)]
    [InlineData(9, 6, true)]
    [InlineData(5, 1 << 22, false)]
    public void Values_and_gradients_are_those_of_the_formula(int rows, int width, bool replayed)
    {
        using var scope = NewDisposeScope();
        manual_seed(width);
        Tensor[] inputs = [randn(rows, width, ScalarType.Float64), randn(width, ScalarType.Float64), randn(3, width, ScalarType.Float64)];
        var dy = randn(rows, 3, ScalarType.Float64);
        var expected = Differentiate(inputs, dy, x =>
        {
            var u = nn.functional.silu(x[0]);
            return nn.functional.linear(u / (u.square().mean([-1], keepdim: true) + Epsilon).sqrt() * x[1], x[2]);
        });
        var actual = Differentiate(inputs, dy, x => replayed
            ? SwiGluTests.Replay(tape => SiluNormLinear.Apply(x[0], x[1], Epsilon, x[2], tape))
            : SiluNormLinear.Apply(x[0], x[1], Epsilon, x[2]));
        Assert.All(actual.Zip(expected), p => Assert.InRange(((p.First - p.Second).norm() / p.Second.norm()).item<double>(), 0, 1e-12));
    }

    // The output, then the gradients of all inputs.
    private static Tensor[] Differentiate(Tensor[] inputs, Tensor dy, Func<Tensor[], Tensor> apply)
    {
        Tensor[] leaves = [.. inputs.Select(x => x.detach().clone().requires_grad_())];
        var y = apply(leaves);
        autograd.backward([y], [dy]);
        return [y.detach(), .. leaves.Select(x => x.grad!)];
    }
}
