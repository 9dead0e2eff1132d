using T2R.Ops;
using T2R.Ops.GatedSlot;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.GatedSlot;

/// <summary>The maps and the chunk form in segments of 64 tokens, against the maps and the reference, in fp64: outputs, final states, every gradient.</summary>
public class SegmentedChunkTests
{
    private const double Normalizer = 8;

    [Theory]
    [InlineData(1, false, false)]
    [InlineData(64, false, false)]
    [InlineData(65, true, false)]
    [InlineData(200, true, false)]
    [InlineData(200, false, true)]
    [InlineData(200, true, true)]
    public void Segments_give_what_the_reference_gives_also_when_replayed(int length, bool documents, bool replayed)
    {
        using var scope = torch.NewDisposeScope();
        manual_seed(length);
        Tensor Draw(params long[] shape) => randn(shape, ScalarType.Float64);
        Tensor[] inputs = [Draw(2, length, 4, 6), Draw(2, length, 2, 6), Draw(2, length, 2, 5), Draw(2, length, 2, 7) * 3, Draw(2, 2, 6, 7), Draw(2, 2, 7, 5)];
        Tensor[] gradients = [Draw(2, length, 4, 5), Draw(2, 2, 6, 7), Draw(2, 2, 7, 5)];
        var starts = documents ? rand(2, length).lt(0.03) : null;
        var expected = Differentiate(inputs, gradients, x => GatedSlotMaps.Whole(GatedSlotForm.Reference, x[0], x[1], x[2], x[3], Normalizer, new(x[4], x[5]), starts));
        var actual = Differentiate(inputs, gradients, x => replayed ? Replayed(x, starts) : Segmented(x, starts, tape: null));
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(actual.Zip(expected), p => Assert.InRange(((p.First - p.Second).norm() / p.Second.norm()).item<double>(), 0, 1e-10));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void One_input_gets_the_gradient_that_it_gets_among_all(int alone)
    {
        using var scope = torch.NewDisposeScope();
        manual_seed(alone);
        Tensor Draw(params long[] shape) => randn(shape, ScalarType.Float64);
        Tensor[] inputs = [Draw(1, 150, 4, 6), Draw(1, 150, 2, 6), Draw(1, 150, 2, 5), Draw(1, 150, 2, 7), Draw(1, 2, 6, 7), Draw(1, 2, 7, 5)];
        Tensor[] gradients = [Draw(1, 150, 4, 5), Draw(1, 2, 6, 7), Draw(1, 2, 7, 5)];
        var expected = Differentiate(inputs, gradients, x => Segmented(x, starts: null, tape: null))[3 + alone];
        Tensor[] leaves = [.. inputs.Select((x, i) => x.clone().requires_grad_(i == alone))];
        var (output, final) = Segmented(leaves, starts: null, tape: null);
        torch.autograd.backward([output, final.Keys, final.Values], gradients);
        Assert.True(leaves[alone].grad!.allclose(expected, 1e-12, 1e-12));
        Assert.All(leaves.Where((_, i) => i != alone), x => Assert.Null(x.grad));
    }

    [Fact]
    public void Halves_are_near_the_reference_and_a_segment_is_never_empty()
    {
        using var scope = torch.NewDisposeScope();
        manual_seed(1);
        Tensor Draw(params long[] shape) => randn(shape).to(ScalarType.BFloat16);
        var (q, k, v, f) = (Draw(1, 300, 4, 16), Draw(1, 300, 2, 16), Draw(1, 300, 2, 16), Draw(1, 300, 2, 8));
        Tensor Wide(Tensor x) => x.to(ScalarType.Float64);
        var state = GatedSlotState.Zeros(1, 2, 16, 8, 16, ScalarType.Float64, CPU);
        var expected = GatedSlotMaps.Whole(GatedSlotForm.Reference, Wide(q), Wide(k), Wide(v), Wide(f), Normalizer, state, null).Output;
        var actual = Wide(GatedSlotMaps.Apply(GatedSlotForm.Chunk, q, k, v, f, Normalizer).Output);
        Assert.InRange(((actual - expected).norm() / expected.norm()).item<double>(), 1e-6, 5e-3);
        Assert.Equal(64, SegmentedChunk.SegmentLength(4096, 64, 128, 1 << 19));
        Assert.Equal(1024, SegmentedChunk.SegmentLength(1, 8, 64, 1 << 19));
        Assert.Equal(4096, SegmentedChunk.SegmentLength(1, 8, 64, 1 << 21));
    }

    // Outputs, then the gradients of all inputs.
    private static Tensor[] Differentiate(Tensor[] inputs, Tensor[] gradients, Func<Tensor[], (Tensor Output, GatedSlotState Final)> apply)
    {
        Tensor[] leaves = [.. inputs.Select(x => x.detach().clone().requires_grad_())];
        var (output, final) = apply(leaves);
        torch.autograd.backward([output, final.Keys, final.Values], gradients);
        return [output.detach(), final.Keys.detach(), final.Values.detach(), .. leaves.Select(x => x.grad!)];
    }

    private static (Tensor Output, GatedSlotState Final) Segmented(Tensor[] x, Tensor? starts, Tape? tape) =>
        SegmentedChunk.Apply(x[0], x[1], x[2], x[3], Normalizer, new(x[4], x[5]), starts, segment: 64, tape);

    private static (Tensor Output, GatedSlotState Final) Replayed(Tensor[] x, Tensor? starts)
    {
        using var tape = Tape.Record();
        using (no_grad())
        {
            Segmented(x, starts, tape);
        }

        // Not while a graph is built.
        Assert.Throws<InvalidOperationException>(() => Segmented(x, starts, tape));
        tape.Rewind();
        return Segmented(x, starts, tape);
    }
}
