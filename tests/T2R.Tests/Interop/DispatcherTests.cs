using T2R.Interop;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Interop;

public class DispatcherTests
{
    [Theory]
    [InlineData(false, null, 4)]
    [InlineData(true, null, 4)]
    [InlineData(true, 0.25, 4)]
    [InlineData(true, 0.25, 1)]
    [InlineData(false, 1.0, 2)]
    [InlineData(true, null, 2)]
    public void Attention_equals_plain_tensor_code_in_values_and_gradients(bool isCausal, double? scale, long keyHeads)
    {
        using var scope = NewDisposeScope();
        var (q, k, v) = RandomInputs(keyHeads);
        Compare(
            [q, k, v],
            i => Dispatcher.ScaledDotProductAttention(i[0], i[1], i[2], null, isCausal, scale, enableGqa: keyHeads != 4),
            i => PlainAttention(i[0], i[1], i[2], isCausal ? Causal() : null, scale));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(2)]
    public void Attention_with_a_mask_equals_plain_tensor_code(long keyHeads)
    {
        using var scope = NewDisposeScope();
        var (q, k, v) = RandomInputs(keyHeads);
        var window = Causal().logical_and(ones(7, 7, dtype: ScalarType.Bool).triu(-2));
        var added = zeros(7, 7).masked_fill(window.logical_not(), float.NegativeInfinity);
        foreach (Tensor mask in new[] { window, added })
        {
            Compare(
                [q, k, v],
                i => Dispatcher.ScaledDotProductAttention(i[0], i[1], i[2], mask, isCausal: false, scale: 0.7, enableGqa: keyHeads != 4),
                i => PlainAttention(i[0], i[1], i[2], window, 0.7));
        }
    }

    [Fact]
    public void Rms_norm_equals_plain_tensor_code_in_values_and_gradients()
    {
        using var scope = NewDisposeScope();
        Compare(
            [randn(2, 5, 8), rand(8)],
            i => Dispatcher.RmsNorm(i[0], i[1], 1e-5),
            i => i[0] * rsqrt(i[0].square().mean([-1], keepdim: true) + 1e-5) * i[1]);
    }

    [Fact]
    public void Rms_norm_of_bfloat16_is_computed_in_fp32()
    {
        using var scope = NewDisposeScope();
        var x = randn(3, 512).to(bfloat16);
        var weight = ones(512, dtype: bfloat16);
        var y = Dispatcher.RmsNorm(x, weight, 1e-5);
        Assert.Equal(bfloat16, y.dtype);
        Assert.True((y.to(float32) - Dispatcher.RmsNorm(x.to(float32), weight.to(float32), 1e-5)).abs().max().item<float>() < 1.0 / 64);
    }

    [Fact]
    public void Calls_leave_no_tensor_behind()
    {
        long before = TensorCount.Settled();
        for (int i = 0; i < 5; i++)
        {
            using var scope = NewDisposeScope();
            var (q, k, v) = RandomInputs(keyHeads: 2);
            var y = Dispatcher.ScaledDotProductAttention(q.requires_grad_(), k, v, null, isCausal: true, scale: 1, enableGqa: true);
            Dispatcher.RmsNorm(y, ones(8), 1e-5).sum().backward();
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void A_tensor_given_as_argument_stays_the_callers()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, 8);
        var weight = ones(8);
        Dispatcher.RmsNorm(x, weight, 0).Dispose();
        Assert.Equal(8f, weight.sum().item<float>());
        Assert.Equal(16f, x.sum().item<float>());
    }

    [Fact]
    public void Shapes_that_do_not_fit_are_refused_by_name()
    {
        using var scope = NewDisposeScope();
        var q = zeros(1, 4, 3, 8);
        Assert.Contains("without enableGqa", Assert.Throws<ArgumentException>(() => Dispatcher.ScaledDotProductAttention(q, zeros(1, 2, 3, 8), zeros(1, 2, 3, 8))).Message);
        Assert.Contains("[1, 4, 3, 9]", Assert.Throws<ArgumentException>(() => Dispatcher.ScaledDotProductAttention(q, zeros(1, 4, 3, 9), zeros(1, 4, 3, 8))).Message);
        Assert.Contains("isCausal", Assert.Throws<ArgumentException>(() => Dispatcher.ScaledDotProductAttention(q, q, q, Causal(), isCausal: true)).Message);
        Assert.Contains("[7]", Assert.Throws<ArgumentException>(() => Dispatcher.RmsNorm(q, ones(7), 0)).Message);
        Assert.Contains("Float64", Assert.Throws<ArgumentException>(() => Dispatcher.RmsNorm(q, ones(8, dtype: float64), 0)).Message);
    }

    [Fact]
    public void What_libtorch_refuses_becomes_an_exception_that_names_the_operator()
    {
        using var scope = NewDisposeScope();
        var q = zeros(1, 1, 3, 8);
        var refusal = Assert.Throws<InvalidOperationException>(() => Dispatcher.ScaledDotProductAttention(q, q, q, zeros(5, 5)));
        Assert.Contains("scaled_dot_product_attention", refusal.Message);
    }

    private static (Tensor Q, Tensor K, Tensor V) RandomInputs(long keyHeads)
    {
        manual_seed(1);
        return (randn(2, 4, 7, 8), randn(2, keyHeads, 7, 8), randn(2, keyHeads, 7, 8));
    }

    private static Tensor Causal() => ones(7, 7, dtype: ScalarType.Bool).tril();

    private static Tensor PlainAttention(Tensor q, Tensor k, Tensor v, Tensor? mayLook, double? scale)
    {
        long group = q.shape[1] / k.shape[1];
        var scores = q.matmul(k.repeat_interleave(group, 1).transpose(-1, -2)) * (scale ?? 1 / Math.Sqrt(q.shape[^1]));
        scores = mayLook is null ? scores : scores.masked_fill(mayLook.logical_not(), float.NegativeInfinity);
        return scores.softmax(-1).matmul(v.repeat_interleave(group, 1));
    }

    private static void Compare(Tensor[] inputs, Func<Tensor[], Tensor> actual, Func<Tensor[], Tensor> expected)
    {
        var outputGradient = randn_like(expected(inputs));
        var (y, gradients) = Differentiate(inputs, outputGradient, actual);
        var (reference, referenceGradients) = Differentiate(inputs, outputGradient, expected);
        Assert.True(RelativeError(y, reference) < 1e-6);
        foreach (var (gradient, referenceGradient) in gradients.Zip(referenceGradients))
        {
            Assert.True(RelativeError(gradient, referenceGradient) < 1e-5);
        }
    }

    private static (Tensor Y, Tensor[] Gradients) Differentiate(Tensor[] inputs, Tensor outputGradient, Func<Tensor[], Tensor> function)
    {
        Tensor[] leaves = [.. inputs.Select(x => x.detach().clone().requires_grad_())];
        var y = function(leaves);
        autograd.backward([y], [outputGradient]);
        return (y, [.. leaves.Select(x => x.grad!)]);
    }

    private static double RelativeError(Tensor a, Tensor b) => ((a - b).norm() / b.norm()).item<float>();
}
