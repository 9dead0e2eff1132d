using T2R.Interop;
using T2R.Ops;
using T2R.Ops.Fp8;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.Fp8;

public class Fp8SwiGluTests
{
    private const double Epsilon = 1e-3;
    private const int Rows = 96, Width = 32, Inner = 80;

    [Fact]
    public void Values_and_gradients_are_near_those_in_fp32_and_the_same_from_chunks_and_from_a_tape()
    {
        using var scope = NewDisposeScope();
        using var scales = new Fp8Scales(1, CPU);
        manual_seed(3);
        Tensor[] inputs = [randn(Rows, Width), randn(Width).mul_(0.1).add_(1), Weight(Inner, Width), Weight(Inner, Width), Weight(Width, Inner)];
        var dy = randn(Rows, Width) * 1e-4;
        var expected = Differentiate(null, int.MaxValue, replayed: false);
        var actual = Differentiate(scales[0], int.MaxValue, replayed: false);
        Assert.All(actual.Zip(expected), p => Assert.InRange(Cosine(p.First, p.Second), 0.99, 0.99999));

        // 5 chunks of 32 rows at most: 96 rows are three of 32. Sums over chunks are rounded more often.
        var chunked = Differentiate(scales[0], 40 * Inner, replayed: true);
        Assert.All(chunked.Skip(1).Zip(actual.Skip(1)), p => Assert.InRange(Training.Tiny.RelativeError(p.First, p.Second), 0, 1e-6));
        Assert.All(Differentiate(scales[0], int.MaxValue, replayed: true).Skip(1).Zip(actual.Skip(1)), p => Assert.True(p.First.equal(p.Second).all().item<bool>()));

        using (no_grad())
        {
            var y = SwiGlu.Apply(inputs[0], inputs[1], Epsilon, inputs[2], inputs[3], inputs[4], workspace: new Workspace(1, 40 * Inner), fp8: scales[0]);
            Assert.InRange(Training.Tiny.RelativeError(y, actual[0]), 0, 1e-6);
        }

        // The output, and the gradients of all inputs.
        Tensor[] Differentiate(Fp8Layer? fp8, long elements, bool replayed)
        {
            Tensor[] x = [.. inputs.Select(t => t.detach().clone().requires_grad_())];
            Tensor Apply(Tape? tape) => SwiGlu.Apply(x[0], x[1], Epsilon, x[2], x[3], x[4], tape, new Workspace(1, elements), fp8);
            var y = replayed ? SwiGluTests.Replay(Apply) : Apply(null);
            Autograd.Backward([y], [dy]);
            return [y.detach(), .. x.Select(t => t.grad!)];
        }
    }

    [Fact]
    public void Frozen_weights_have_no_gradient_and_change_no_other()
    {
        using var scope = NewDisposeScope();
        using var scales = new Fp8Scales(1, CPU);
        Tensor[] inputs = [randn(Rows, Width), ones(Width), Weight(Inner, Width), Weight(Inner, Width), Weight(Width, Inner)];
        var all = Gradients(2, 3, 4);
        var some = Gradients(3);
        Assert.Equal([false, false, true, false], some.Skip(1).Select(g => g is not null));
        Assert.True(some[0]!.equal(all[0]!).all().item<bool>());
        Assert.True(some[3]!.equal(all[3]!).all().item<bool>());

        // Of the input, and of the inputs by their places.
        Tensor?[] Gradients(params int[] trained)
        {
            Tensor[] x = [.. inputs.Select((t, i) => t.detach().clone().requires_grad_(i == 0 || trained.Contains(i)))];
            var y = SwiGlu.Apply(x[0], x[1], Epsilon, x[2], x[3], x[4], fp8: scales[0]);
            Autograd.Backward([y], [ones_like(y)]);
            return [.. x.Select(t => t.grad)];
        }
    }

    private static Tensor Weight(long rows, long columns) => randn(rows, columns) / Math.Sqrt(columns);

    private static double Cosine(Tensor a, Tensor b) => nn.functional.cosine_similarity(a.flatten(), b.flatten(), 0).item<float>();
}
