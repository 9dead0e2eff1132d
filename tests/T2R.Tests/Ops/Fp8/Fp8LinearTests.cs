using T2R.Interop;
using T2R.Ops;
using T2R.Ops.Fp8;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.Fp8;

public class Fp8LinearTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_product_is_that_of_the_rounded_matrices(bool isGradient)
    {
        using var scope = NewDisposeScope();
        using var scales = new Fp8Scales(1, CPU);
        var product = scales[0].MixerInput;
        var a = Fp8Cast.Straight(randn(32, 64), isGradient ? product.Gradient : product.Input);
        var b = Fp8Cast.Straight(randn(48, 64) * 1e-3, product.Weight);
        var expected = Value(a).matmul(Value(b).t());
        Assert.InRange(Error(a.TimesTransposed(b, ScalarType.Float32, fastSums: false), expected), 0, 1e-6);
        Assert.InRange(Error(a.TimesTransposed(b, ScalarType.BFloat16, fastSums: true), expected), 0, 2e-3);

        // What a card computes by.
        var scaled = Dispatcher.ScaledProduct(a.Values, b.Values, a.Cell.Inverse, b.Cell.Inverse, ScalarType.BFloat16, fastSums: true);
        Assert.Equal(ScalarType.BFloat16, scaled.dtype);
        Assert.InRange(Error(scaled, expected), 0, 2e-3);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Values_and_gradients_are_those_of_products_of_rounded_matrices(bool isReplayed)
    {
        using var scope = NewDisposeScope();
        using var scales = new Fp8Scales(1, CPU);
        var product = scales[0].MixerInput;
        manual_seed(5);
        var x = randn(2, 24, 32).requires_grad_();

        // The second is frozen; nothing reads what the last gives.
        Tensor[] weights = [randn(64, 32).requires_grad_(), randn(16, 32), randn(16, 32).requires_grad_(), randn(32, 32).requires_grad_()];
        var ys = Applied();
        Tensor[] dys = [randn(2, 24, 64), randn(2, 24, 16), randn(2, 24, 16)];
        Autograd.Backward([.. ys.Take(3)], dys);

        var x_NI = Rounded(x.reshape(-1, 32), product.Input);
        var w_OI = Rounded(cat(weights), product.Weight);
        var dy_NO = Rounded(cat([.. dys.Select(d => d.reshape(48, -1)), zeros(48, 32)], 1), product.Gradient);
        var y_NO = x_NI.matmul(w_OI.t()).view(2, 24, -1);
        var dw_OI = dy_NO.t().matmul(x_NI);
        Assert.InRange(Error(cat([.. ys], -1), y_NO), 0, 1e-6);
        Assert.InRange(Error(x.grad!, dy_NO.matmul(w_OI).view(2, 24, 32)), 0, 1e-6);
        Assert.InRange(Error(weights[0].grad!, dw_OI.narrow(0, 0, 64)), 0, 1e-6);
        Assert.Null(weights[1].grad);
        Assert.InRange(Error(weights[2].grad!, dw_OI.narrow(0, 80, 16)), 0, 1e-6);
        Assert.Equal(0, weights[3].grad!.abs().max().item<float>());

        IReadOnlyList<Tensor> Applied()
        {
            if (!isReplayed)
            {
                return Fp8Linear.Apply(x, weights, product);
            }

            using var tape = Tape.Record();
            using (no_grad())
            {
                foreach (var y in Fp8Linear.Apply(x, weights, product, tape))
                {
                    y.Dispose();
                }
            }

            // A replay multiplies nothing: it gives what was kept.
            tape.Rewind();
            using var held = product.Input.Largest.clone();
            product.Input.Largest.zero_();
            var replayed = Fp8Linear.Apply(x, weights, product, tape);
            Assert.Equal(0, product.Input.Largest.item<float>());
            product.Input.Largest.copy_(held);
            Assert.Null(tape.Take());
            return replayed;
        }
    }

    [Fact]
    public void Sizes_that_are_no_multiples_of_16_are_multiplied_as_they_were()
    {
        using var scope = NewDisposeScope();
        using var scales = new Fp8Scales(1, CPU);
        foreach (var (rows, inputs, outputs) in new[] { (15, 32, 32), (16, 40, 32), (16, 32, 8) })
        {
            var (x, projection) = (randn(rows, inputs), new Projection(randn(outputs, inputs)));
            Assert.True(projection.Apply(x, tape: null, scales[0].MixerInput).equal(projection.Apply(x)).all().item<bool>());
        }

        Assert.False(scales[0].MixerInput.Input.IsMeasured);
        var (wide, fitting) = (randn(16, 32), new Projection(randn(48, 32)));
        Assert.False(fitting.Apply(wide, tape: null, scales[0].MixerInput).equal(fitting.Apply(wide)).all().item<bool>());
    }

    [Fact]
    public void Steps_leave_no_tensor_behind()
    {
        using var outer = NewDisposeScope();
        using var scales = new Fp8Scales(1, CPU);
        var (x, w) = (randn(32, 32).requires_grad_(), randn(48, 32).requires_grad_());
        long before = 0;
        for (int i = 0; i < 6; i++)
        {
            if (i == 2)
            {
                before = TensorCount.Settled();
            }

            using var scope = NewDisposeScope();
            var y = Fp8Linear.Apply(x, [w], scales[0].MixerInput)[0];
            Autograd.Backward([y], [ones_like(y)]);
            foreach (var leaf in new[] { x, w })
            {
                leaf.grad!.Dispose();
                leaf.grad = null;
            }

            scales.EndStep();
        }

        Assert.InRange(TensorCount.Settled() - before, 0, 1);
    }

    private static Tensor Value(Fp8Matrix matrix) => matrix.Values.to(ScalarType.Float64) * matrix.Cell.Inverse.to(ScalarType.Float64);

    private static Tensor Rounded(Tensor x, Fp8Cell cell) => Value(Fp8Cast.Straight(x.detach(), cell));

    private static double Error(Tensor actual, Tensor expected) => Training.Tiny.RelativeError(actual.detach(), expected);
}
