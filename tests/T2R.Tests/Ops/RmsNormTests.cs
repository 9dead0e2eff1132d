using T2R.Interop;
using T2R.Ops;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops;

public class RmsNormTests
{
    [Theory]
    [InlineData(ScalarType.Float64, false, 1e-12)]
    [InlineData(ScalarType.Float32, false, 1e-5)]
    [InlineData(ScalarType.BFloat16, false, 1e-2)]
    [InlineData(ScalarType.Float64, true, 1e-12)]
    [InlineData(ScalarType.Float32, true, 1e-5)]
    [InlineData(ScalarType.BFloat16, true, 1e-2)]
    public void Output_and_gradients_are_those_of_the_formula(ScalarType dtype, bool silu, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3, CPU);
        Tensor Draw(params long[] shape) => empty(shape, ScalarType.Float64).normal_(0, 1, generator).to(dtype);
        var (x, weight, dy) = (Draw(2, 5, 24).requires_grad_(), (Draw(24) + 1).detach().requires_grad_(), Draw(2, 5, 24));
        var y = silu ? RmsNorm.ApplyToSilu(x, weight, 1e-3) : RmsNorm.Apply(x, weight, 1e-3);
        Autograd.Backward([y], [dy]);

        var (wideX, wideWeight) = (x.detach().to(ScalarType.Float64).requires_grad_(), weight.detach().to(ScalarType.Float64).requires_grad_());
        var u = silu ? nn.functional.silu(wideX) : wideX;
        var expected = u / (u.square().mean([-1], keepdim: true) + 1e-3).sqrt() * wideWeight;
        Autograd.Backward([expected], [dy.to(ScalarType.Float64)]);

        Assert.Equal(dtype, y.dtype);
        Near(expected, y);
        Near(wideX.grad!, x.grad!);
        Near(wideWeight.grad!, weight.grad!);

        void Near(Tensor reference, Tensor actual) => Assert.InRange(((actual.to(ScalarType.Float64) - reference).norm() / reference.norm()).item<double>(), 0, tolerance);
    }

    [Fact]
    public void Many_rows_are_taken_in_parts_without_a_difference()
    {
        using var scope = NewDisposeScope();
        var x = randn(2, 3, 1 << 21, ScalarType.Float64).requires_grad_();
        var weight = ones(1 << 21, ScalarType.Float64).requires_grad_();
        Autograd.Backward([RmsNorm.Apply(x, weight, 1e-5)], [x.detach()]);
        var (row, rowWeight) = (x.detach()[1, 2].unsqueeze(0).requires_grad_(), weight.detach().clone().requires_grad_());
        Autograd.Backward([RmsNorm.Apply(row, rowWeight, 1e-5)], [row.detach()]);
        Assert.True(x.grad![1, 2].allclose(row.grad![0], 1e-12, 1e-12));
        Assert.True(weight.grad!.allclose((x.detach().square() * (x.detach().square().mean([-1], keepdim: true) + 1e-5).rsqrt()).sum([0, 1]), 1e-10, 1e-10));
    }

    [Fact]
    public void A_gradient_that_a_leaf_has_is_added_to_before_the_sum_is_rounded()
    {
        using var scope = NewDisposeScope();
        var (x, past, dy) = (randn(9, 64).to(ScalarType.BFloat16), randn(9, 64).to(ScalarType.BFloat16), randn(9, 64).to(ScalarType.BFloat16));
        Tensor Gradient(ScalarType dtype, Tensor? before)
        {
            var leaf = x.to(dtype, copy: true).requires_grad_();
            leaf.grad = before;
            Autograd.Backward([RmsNorm.Apply(leaf, ones(64), 1e-3)], [dy.to(dtype)]);
            return leaf.grad!;
        }

        var expected = (Gradient(ScalarType.Float32, null) + past).to(ScalarType.BFloat16);
        Assert.True(Gradient(ScalarType.BFloat16, past.clone()).equal(expected).all().item<bool>());
    }

    [Fact]
    public void A_gradient_of_what_needs_none_any_more_stays_as_it_is()
    {
        using var scope = NewDisposeScope();
        var (x, weight) = (randn(9, 64).requires_grad_(), ones(64).requires_grad_());
        x.grad = ones(9, 64);
        x.requires_grad_(false);
        Autograd.Backward([RmsNorm.Apply(x, weight, 1e-3)], [randn(9, 64)]);
        Assert.True(x.grad!.equal(ones(9, 64)).all().item<bool>());
        Assert.NotNull(weight.grad);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_frozen_weight_changes_no_other_gradient(bool linear)
    {
        using var scope = NewDisposeScope();
        Tensor x = randn(9, 64), norm = randn(64), weight = randn(5, 64), dy = randn(9, linear ? 5 : 64);
        Tensor Gradient(bool trained)
        {
            Tensor leaf = x.clone().requires_grad_(), w = norm.clone().requires_grad_(trained);
            Autograd.Backward([linear ? SiluNormLinear.Apply(leaf, w, 1e-3, weight) : RmsNorm.Apply(leaf, w, 1e-3)], [dy]);
            Assert.Equal(trained, w.grad is not null);
            return leaf.grad!;
        }

        Assert.True(Gradient(true).equal(Gradient(false)).all().item<bool>());
    }

    [Fact]
    public void A_row_of_zeros_gives_zeros()
    {
        using var scope = NewDisposeScope();
        var x = zeros(1, 8).requires_grad_();
        var y = RmsNorm.Apply(x, ones(8), 1e-5);
        Autograd.Backward([y], [ones(1, 8)]);
        Assert.Equal(0, y.abs().max().item<float>());
        Assert.True(x.grad!.isfinite().all().item<bool>());
    }
}
