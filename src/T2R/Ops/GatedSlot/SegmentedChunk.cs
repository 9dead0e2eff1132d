using T2R.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>
/// <see cref="Chunk"/> with the maps before it, a segment of tokens at a time, so that one segment's intermediate results are in memory: the forward keeps the inputs
/// and the state before each segment, the backward runs each segment again, last to first, and hands the gradient of its first state to the one before.
/// </summary>
internal sealed class SegmentedChunk : SafeFunction<SegmentedChunk>
{
    /// <summary>Bytes of intermediate results for each token, head and slot of a segment while its backward runs, measured.</summary>
    internal const long BytesOfSlot = 800;

    /// <summary>Tokens of a segment for a shape: whole chunks, at least one. Longer segments are faster on a card, where each operator's launch counts.</summary>
    /// <param name="batch">Sequences, B.</param>
    /// <param name="heads">Key-value heads, Hkv.</param>
    /// <param name="slots">Slots, M.</param>
    /// <param name="slotsAtOnce">How many slots of all tokens and heads there may be in a segment.</param>
    internal static long SegmentLength(long batch, long heads, long slots, long slotsAtOnce) =>
        Math.Max(1, slotsAtOnce / (batch * heads * slots * Chunk.Length)) * Chunk.Length;

    internal static (Tensor Output, GatedSlotState Final) Apply(
        Tensor q, Tensor k, Tensor v, Tensor f, double normalizer, GatedSlotState initial, Tensor? documentStarts, long segment, Tape? tape)
    {
        tape?.RefuseGraph();
        var problem = new Problem(normalizer, segment);
        using var output = tape is { IsRecording: false } ? tape.Take() : null;
        if (output is not null)
        {
            using var keys = tape!.Take();
            using var values = tape.Take();
            var kept = Call(q, k, v, f, initial.Keys, initial.Values, documentStarts, problem, new Results(output, keys!, values!));
            return (kept[0], new GatedSlotState(kept[1], kept[2]));
        }

        if (torch.is_grad_enabled() && Array.Exists([q, k, v, f, initial.Keys, initial.Values], x => x.requires_grad))
        {
            var outputs = Call(q, k, v, f, initial.Keys, initial.Values, documentStarts, problem, null);
            return (outputs[0], new GatedSlotState(outputs[1], outputs[2]));
        }

        var results = Forward(problem, q, k, v, f, initial, documentStarts);
        if (tape is { IsRecording: true })
        {
            tape.Keep(results.Output);
            tape.Keep(results.Keys);
            tape.Keep(results.Values);
        }

        return (results.Output, results.Final);
    }

    /// <inheritdoc/>
    protected override List<Tensor> ComputeOutputs(torch.autograd.AutogradContext context, object?[] inputs)
    {
        Tensor Input(int i) => (Tensor)inputs[i]!;
        var (q, k, v, f, documentStarts) = (Input(0), Input(1), Input(2), Input(3), (Tensor?)inputs[6]);
        var problem = (Problem)inputs[7]!;
        var results = inputs[8] as Results ?? Forward(problem, q, k, v, f, new GatedSlotState(Input(4), Input(5)), documentStarts);
        context.save_for_backward([q, k, v, f, documentStarts, results.Keys, results.Values]);
        context.save_data(nameof(Problem), problem);
        return [results.Output, results.Final.Keys, results.Final.Values];
    }

    /// <inheritdoc/>
    protected override List<Tensor?> ComputeGradients(torch.autograd.AutogradContext context, List<Tensor?> gradients)
    {
        List<Tensor?> saved = context.get_saved_variables()!;
        Tensor[] inputs = [.. saved[..4]!];
        var (documentStarts, keys_LBNKM, values_LBNMV) = (saved[4], saved[5]!, saved[6]!);
        var problem = (Problem)context.get_data(nameof(Problem))!;
        long segment = problem.Segment, length = inputs[0].shape[1];
        Tensor?[] sums = [.. inputs.Select(x => x.requires_grad ? torch.empty_like(x) : null)];
        var (dKeys, dValues) = (gradients[1] ?? torch.zeros_like(keys_LBNKM[0]), gradients[2] ?? torch.zeros_like(values_LBNMV[0]));
        using var grad = torch.enable_grad();
        for (long i = (length - 1) / segment; i >= 0; i--)
        {
            using var scope = torch.NewDisposeScope();
            Tensor Part(Tensor x) => x.narrow(1, i * segment, Math.Min(segment, length - (i * segment)));
            Tensor[] leaves = [.. inputs.Select(x => Part(x).detach().requires_grad_(x.requires_grad)), keys_LBNKM[i].detach().requires_grad_(), values_LBNMV[i].detach().requires_grad_()];
            var (output, final) = Segment(problem, leaves[0], leaves[1], leaves[2], leaves[3], new GatedSlotState(leaves[4], leaves[5]), documentStarts is null ? null : Part(documentStarts));
            Tensor[] roots = gradients[0] is null ? [final.Keys, final.Values] : [final.Keys, final.Values, output];
            torch.autograd.backward(roots, gradients[0] is { } d ? [dKeys, dValues, Part(d)] : [dKeys, dValues]);
            using var off = torch.no_grad();
            for (int j = 0; j < sums.Length; j++)
            {
                if (sums[j] is { } sum)
                {
                    using var part = Part(sum);
                    _ = leaves[j].grad is { } gradient ? part.copy_(gradient) : part.zero_();
                }
            }

            (dKeys, dValues) = (leaves[4].grad!.MoveToOuterDisposeScope(), leaves[5].grad!.MoveToOuterDisposeScope());
        }

        return [.. sums, dKeys, dValues, null, null, null];
    }

    private static Results Forward(Problem problem, Tensor q, Tensor k, Tensor v, Tensor f, GatedSlotState initial, Tensor? documentStarts)
    {
        using var scope = torch.NewDisposeScope();
        using var off = torch.no_grad();
        var (length, state) = (q.shape[1], initial);
        var output = torch.empty([.. q.shape[..3], v.shape[3]], v.dtype, v.device);
        var (keys, values) = (new List<Tensor> { state.Keys }, new List<Tensor> { state.Values });
        for (long start = 0; start < length; start += problem.Segment)
        {
            using var segmentScope = torch.NewDisposeScope();
            long count = Math.Min(problem.Segment, length - start);
            Tensor Part(Tensor x) => x.narrow(1, start, count);
            var (o, final) = Segment(problem, Part(q), Part(k), Part(v), Part(f), state, documentStarts is null ? null : Part(documentStarts));
            Part(output).copy_(o);
            state = new GatedSlotState(final.Keys.contiguous().MoveToOuterDisposeScope(), final.Values.contiguous().MoveToOuterDisposeScope());
            keys.Add(state.Keys);
            values.Add(state.Values);
        }

        return new Results(output.MoveToOuterDisposeScope(), torch.stack(keys).MoveToOuterDisposeScope(), torch.stack(values).MoveToOuterDisposeScope());
    }

    // What no backward reads is gone when it returns.
    private static (Tensor Output, GatedSlotState Final) Segment(Problem problem, Tensor q, Tensor k, Tensor v, Tensor f, GatedSlotState state, Tensor? documentStarts)
    {
        using var scope = torch.NewDisposeScope();
        var (output, final) = GatedSlotMaps.Whole(GatedSlotForm.Chunk, q, k, v, f, problem.Normalizer, state, documentStarts);
        return (output.MoveToOuterDisposeScope(), new GatedSlotState(final.Keys.MoveToOuterDisposeScope(), final.Values.MoveToOuterDisposeScope()));
    }

    /// <summary>τ, and tokens of a segment.</summary>
    private sealed record Problem(double Normalizer, long Segment);

    /// <summary>Keys [L + 1, B, N, K, M] and Values [L + 1, B, N, M, V]: the states before each of the L segments, and after the last.</summary>
    private sealed record Results(Tensor Output, Tensor Keys, Tensor Values)
    {
        internal GatedSlotState Final => new(Keys[^1].clone(), Values[^1].clone());
    }
}
