using T2R.Interop;
using T2R.Ops;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops;

public class GatedProductTests
{
    [Theory]
    [InlineData(ScalarType.Float64, 1e-12)]
    [InlineData(ScalarType.BFloat16, 1e-2)]
    public void Values_and_gradients_are_those_of_the_formula(ScalarType dtype, double tolerance)
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        Tensor[] inputs = [randn(2, 3, 8).to(dtype), randn(2, 3, 8).to(dtype)];
        var dh = randn(2, 3, 8).to(dtype);
        Tensor[] Run(Func<Tensor, Tensor> convert, Func<Tensor, Tensor, Tensor> apply)
        {
            Tensor[] leaves = [.. inputs.Select(x => convert(x).detach().requires_grad_())];
            var h = apply(leaves[0], leaves[1]);
            Autograd.Backward([h], [convert(dh)]);
            return [h.detach(), .. leaves.Select(x => x.grad!)];
        }

        var actual = Run(x => x, GatedProduct.Apply);
        var expected = Run(x => x.to(ScalarType.Float64), (a, b) => a * a.sigmoid() * b);
        Assert.All(actual.Zip(expected), p => Assert.InRange(((p.First.to(ScalarType.Float64) - p.Second).norm() / p.Second.norm()).item<double>(), 0, tolerance));
        using var off = no_grad();
        Assert.True(GatedProduct.Apply(inputs[0], inputs[1]).equal(actual[0]).all().item<bool>());
    }
}
