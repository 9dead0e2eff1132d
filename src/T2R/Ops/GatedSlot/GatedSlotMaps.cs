using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>
/// The operator with the maps that stand before it in a layer (Zhang et al., NeurIPS 2024, section 3): queries, keys and values pass through silu; from the logits f come
/// the log forget gate g = logsigmoid(f)/τ and the write gate s = 1 − e^g.
/// </summary>
public static class GatedSlotMaps
{
    /// <summary>Runs maps and operator; differentiable in q, k, v, f and both initial states.</summary>
    /// <param name="form">How to compute the operator.</param>
    /// <param name="q">Queries before silu, [B, T, H, K].</param>
    /// <param name="k">Keys before silu, [B, T, Hkv, K].</param>
    /// <param name="v">Values before silu, [B, T, Hkv, V].</param>
    /// <param name="f">Gate logits [B, T, Hkv, M].</param>
    /// <param name="normalizer">τ.</param>
    /// <param name="initial">State before the first token; null means zeros.</param>
    /// <param name="documentStarts">bool [B, T]: where the state is forgotten; null means nowhere.</param>
    /// <param name="slotsAtOnce">How many slots, of all tokens and heads, the chunk form of tensors may take at once: its memory, and on a card its speed.</param>
    /// <param name="tape">Keeps or gives what the chunk form makes of tensors; null for neither.</param>
    /// <returns>The output [B, T, H, V] in v's type, and the state after the last token.</returns>
    /// <exception cref="ArgumentException">A shape, a type or a device does not fit the others.</exception>
    public static (Tensor Output, GatedSlotState Final) Apply(
        GatedSlotForm form, Tensor q, Tensor k, Tensor v, Tensor f, double normalizer, GatedSlotState? initial = null, Tensor? documentStarts = null, long? slotsAtOnce = null, Tape? tape = null)
    {
        GatedSlotOperator.Check(q, k, v, ("f", f), null, initial, documentStarts);
        using var scope = torch.NewDisposeScope();
        if (form == GatedSlotForm.Chunk && CudaChunk.Takes(q, k, v, f, maps: true))
        {
            return GatedSlotOperator.Moved(CudaChunk.Apply(q, k, v, write: null, f, normalizer, initial, documentStarts, tape));
        }

        initial ??= GatedSlotState.Zeros(q.shape[0], k.shape[2], k.shape[3], f.shape[3], v.shape[3], GatedSlotOperator.StateType(v), q.device);
        return GatedSlotOperator.Moved(form == GatedSlotForm.Chunk && !CpuChunk.Takes(q, k, v)
            ? SegmentedChunk.Apply(q, k, v, f, normalizer, initial, documentStarts, SegmentedChunk.SegmentLength(q.shape[0], k.shape[2], f.shape[3], slotsAtOnce ?? Workspace.Standard.Slots), tape)
            : Whole(form, q, k, v, f, normalizer, initial, documentStarts));
    }

    /// <summary>The maps, then the operator, of what <see cref="Apply"/> has checked.</summary>
    internal static (Tensor Output, GatedSlotState Final) Whole(
        GatedSlotForm form, Tensor q, Tensor k, Tensor v, Tensor f, double normalizer, GatedSlotState initial, Tensor? documentStarts)
    {
        // Gates in fp32, the write as −expm1: in bf16, 1 − e^g is nothing once the gate is open.
        var wide = f.dtype == ScalarType.Float64 ? f : f.to(ScalarType.Float32);
        var g = nn.functional.logsigmoid(wide) / normalizer;
        return GatedSlotOperator.Run(form, nn.functional.silu(q), nn.functional.silu(k), nn.functional.silu(v), g.expm1().neg(), g, initial, documentStarts);
    }
}
