using T2R.Interop;
using T2R.Ops;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops;

public class SwiGluTests
{
    [Fact]
    public void A_backward_that_fails_leaves_no_gradient_of_a_weight_behind()
    {
        using var scope = NewDisposeScope();
        var (x, norm, gate, down) = (randn(6, 4).requires_grad_(), ones(4), randn(8, 4).requires_grad_(), randn(4, 8).requires_grad_());
        using var tape = Tape.Record();
        tape.Keep(randn(6, 8));
        tape.Keep(randn(6, 8));
        tape.Rewind();

        // Of another width than b, which is found out when the weights' gradients are made.
        var y = SwiGlu.Apply(x, norm, 1e-5, gate, randn(7, 4), down, tape);
        long before = TensorCount.Settled();
        using (NewDisposeScope())
        {
            Assert.ThrowsAny<Exception>(() => Autograd.Backward([y], [randn(6, 4)]));
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    private const double Epsilon = 1e-3;

    [Theory]
    [InlineData(7, 12, 20, false)]
    [InlineData(7, 12, 20, true)]
    [InlineData(33, 4, 1 << 20, false)]
    [InlineData(33, 4, 1 << 20, true)]
    public void Values_and_gradients_are_those_of_the_formula(int rows, int width, int inner, bool replayed)
    {
        using var scope = NewDisposeScope();
        manual_seed(rows);
        Tensor[] inputs = [randn(rows, width, ScalarType.Float64), Weight(inner, width), Weight(inner, width), Weight(width, inner), randn(width, ScalarType.Float64)];
        var dy = randn(rows, width, ScalarType.Float64);
        var (y, expected) = Differentiate(inputs, dy, x =>
        {
            var n = x[0] / (x[0].square().mean([-1], keepdim: true) + Epsilon).sqrt() * x[4];
            return x[0] + nn.functional.linear(nn.functional.silu(nn.functional.linear(n, x[1])) * nn.functional.linear(n, x[2]), x[3]);
        });
        var (actualY, actual) = Differentiate(inputs, dy, x => replayed ? Replayed(x) : SwiGlu.Apply(x[0], x[4], Epsilon, x[1], x[2], x[3]));
        Assert.All(actual.Zip(expected), p => Assert.InRange(((p.First - p.Second).norm() / p.Second.norm()).item<double>(), 0, 1e-12));
        if (!replayed)
        {
            Assert.InRange(((actualY - y).norm() / y.norm()).item<double>(), 0, 1e-12);
        }

        using var off = no_grad();
        Assert.InRange(((SwiGlu.Apply(inputs[0], inputs[4], Epsilon, inputs[1], inputs[2], inputs[3]) - y).norm() / y.norm()).item<double>(), 0, 1e-12);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_sum_in_the_memory_of_its_input_has_the_same_values_and_is_left_alone_where_a_graph_reads_it(bool recorded)
    {
        using var scope = NewDisposeScope();
        Tensor[] inputs = [randn(5, 6, ScalarType.Float64), Weight(8, 6), Weight(8, 6), Weight(6, 8), randn(6, ScalarType.Float64)];
        Tensor Apply(Tensor x, bool overwrites, Tape? tape = null) =>
            SwiGlu.Apply(x, inputs[4], Epsilon, inputs[1], inputs[2], inputs[3], tape, new Workspace(1, 16), overwrites: overwrites);
        var graphed = inputs[0].clone().requires_grad_();
        Apply(graphed, overwrites: true);
        Assert.True(graphed.equal(inputs[0]).all().item<bool>());

        using var off = no_grad();
        var expected = Apply(inputs[0], overwrites: false);
        var given = inputs[0].clone();
        using var tape = recorded ? Tape.Record() : null;
        var actual = Apply(given, overwrites: true, tape);
        Assert.True(actual.allclose(expected, 1e-12, 1e-12));
        Assert.True(given.equal(actual).all().item<bool>());
    }

    [Fact]
    public void A_blank_tape_gives_the_gradients_too_and_nothing_is_left()
    {
        using var scope = NewDisposeScope();
        Tensor[] inputs = [randn(5, 6), Weight(8, 6).to(ScalarType.Float32), Weight(8, 6).to(ScalarType.Float32), Weight(6, 8).to(ScalarType.Float32), randn(6)];
        var dy = randn(5, 6);
        Tensor[] Gradients(Func<Tensor[], Tensor> apply) => Differentiate(inputs, dy, apply).Gradients;
        var expected = Gradients(x => SwiGlu.Apply(x[0], x[4], Epsilon, x[1], x[2], x[3]));
        long before = Tensor.TotalCount;
        for (int i = 0; i < 3; i++)
        {
            using var inner = NewDisposeScope();
            using var tape = Tape.Blank();
            var actual = Gradients(x => SwiGlu.Apply(x[0], x[4], Epsilon, x[1], x[2], x[3], tape));
            Assert.All(actual.Zip(expected), p => Assert.True(p.First.equal(p.Second).all().item<bool>()));
        }

        Assert.InRange(Tensor.TotalCount - before, 0, 6);
    }

    // As a block does: a forward that records, then one that takes.
    internal static Tensor Replay(Func<Tape, Tensor> apply)
    {
        Assert.Throws<InvalidOperationException>(() => apply(Tape.Record()));
        using (var recorded = Recorded(apply))
        using (var kept = recorded.Take())
        {
            Assert.NotNull(kept);
        }

        using var tape = Recorded(apply);
        var replayed = apply(tape);
        Assert.Null(tape.Take());
        return replayed;
    }

    private static Tape Recorded(Func<Tape, Tensor> apply)
    {
        var tape = Tape.Record();
        using (no_grad())
        {
            apply(tape).Dispose();
        }

        tape.Rewind();
        return tape;
    }

    private static Tensor Replayed(Tensor[] x) => Replay(tape => SwiGlu.Apply(x[0], x[4], Epsilon, x[1], x[2], x[3], tape));

    private static Tensor Weight(long rows, long columns) => randn(rows, columns, ScalarType.Float64) / Math.Sqrt(columns);

    private static (Tensor Output, Tensor[] Gradients) Differentiate(Tensor[] inputs, Tensor dy, Func<Tensor[], Tensor> apply)
    {
        Tensor[] leaves = [.. inputs.Select(x => x.detach().clone().requires_grad_())];
        var y = apply(leaves);
        autograd.backward([y], [dy]);
        return (y.detach(), [.. leaves.Select(x => x.grad!)]);
    }
}
