using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>
/// Gated slot attention (Zhang et al., Gated Slot Attention for Efficient Linear-Time Sequence Modeling, NeurIPS 2024). Per token, with scale 1:
/// <code>
/// Hk ← Hk · exp(g)[None, :] + k ⊗ s      p = softmax over the M slots of qᵀ Hk
/// Hv ← Hv · exp(g)[:, None] + s ⊗ v      o = p Hv
/// </code>
/// The state is computed in fp32, or in fp64 when v is fp64. The query heads of a group read one state; it is never repeated.
/// </summary>
public static class GatedSlotOperator
{
    /// <summary>Runs the operator; differentiable in q, k, v, s, g and both initial states, from the output and both final states.</summary>
    /// <param name="form">How to compute it; all forms give the same result up to rounding.</param>
    /// <param name="q">Queries [B, T, H, K]; H is a multiple of Hkv, and query head h reads key-value head h / (H / Hkv).</param>
    /// <param name="k">Keys [B, T, Hkv, K].</param>
    /// <param name="v">Values [B, T, Hkv, V].</param>
    /// <param name="s">Write gate [B, T, Hkv, M], fp32.</param>
    /// <param name="g">Logarithm of the forget gate [B, T, Hkv, M], at most 0, fp32.</param>
    /// <param name="initial">State before the first token; null means zeros.</param>
    /// <param name="documentStarts">bool [B, T]: at a true the state is forgotten (decay 0) and the token is written as ever; null means nowhere.</param>
    /// <returns>The output [B, T, H, V] in v's type, and the state after the last token.</returns>
    /// <exception cref="ArgumentException">A shape, a type or a device does not fit the others.</exception>
    public static (Tensor Output, GatedSlotState Final) Apply(
        GatedSlotForm form, Tensor q, Tensor k, Tensor v, Tensor s, Tensor g, GatedSlotState? initial = null, Tensor? documentStarts = null)
    {
        Check(q, k, v, ("s", s), ("g", g), initial, documentStarts);
        return Run(form, q, k, v, s, g, initial, documentStarts);
    }

    /// <summary><see cref="Apply"/> of what has been checked.</summary>
    internal static (Tensor Output, GatedSlotState Final) Run(
        GatedSlotForm form, Tensor q, Tensor k, Tensor v, Tensor s, Tensor g, GatedSlotState? initial, Tensor? documentStarts)
    {
        using var scope = torch.NewDisposeScope();
        if (form == GatedSlotForm.Chunk && s.dtype == ScalarType.Float32 && CudaChunk.Takes(q, k, v, g, maps: false))
        {
            return Moved(CudaChunk.Apply(q, k, v, s, g, normalizer: null, initial, documentStarts));
        }

        initial ??= GatedSlotState.Zeros(q.shape[0], k.shape[2], k.shape[3], s.shape[3], v.shape[3], StateType(v), q.device);
        return Moved(form switch
        {
            GatedSlotForm.Reference => Reference.Apply(q, k, v, s, g, initial, documentStarts),
            GatedSlotForm.Chunk when CpuChunk.Takes(q, k, v) => CpuChunk.Apply(q, k, v, s, g, initial, documentStarts),
            GatedSlotForm.Chunk => Chunk.Apply(q, k, v, s, g, initial, documentStarts),
            GatedSlotForm.Recurrent => Recurrent.Apply(q, k, v, s, g, initial, documentStarts),
            _ => throw new ArgumentOutOfRangeException(nameof(form), form, "not a form of the operator"),
        });
    }

    /// <summary>Hands results to the scope around the caller's.</summary>
    internal static (Tensor Output, GatedSlotState Final) Moved((Tensor Output, GatedSlotState Final) x) =>
        (x.Output.MoveToOuterDisposeScope(), new GatedSlotState(x.Final.Keys.MoveToOuterDisposeScope(), x.Final.Values.MoveToOuterDisposeScope()));

    /// <summary>Refuses what does not fit together, before a kernel reads past its end.</summary>
    /// <param name="q">As <see cref="Apply"/> takes it, and so on.</param>
    /// <param name="k">k.</param>
    /// <param name="v">v.</param>
    /// <param name="gate">What says how many slots there are, with its name: s, or the logits that it is made of.</param>
    /// <param name="other">What has that shape too; null for nothing.</param>
    /// <param name="initial">The initial state.</param>
    /// <param name="documentStarts">Where documents start.</param>
    /// <exception cref="ArgumentException">A shape, a type or a device does not fit the others.</exception>
    internal static void Check(
        Tensor q, Tensor k, Tensor v, (string Name, Tensor Tensor) gate, (string Name, Tensor Tensor)? other, GatedSlotState? initial, Tensor? documentStarts)
    {
        if (q.dim() != 4 || k.dim() != 4 || v.dim() != 4 || gate.Tensor.dim() != 4)
        {
            throw new ArgumentException($"q, k, v and {gate.Name} need 4 dimensions, found {q.dim()}, {k.dim()}, {v.dim()} and {gate.Tensor.dim()}");
        }

        var (batch, length, keyValueHeads, keyDim, valueDim, slots) = (q.shape[0], q.shape[1], k.shape[2], q.shape[3], v.shape[3], gate.Tensor.shape[3]);
        if (length == 0)
        {
            throw new ArgumentException("there must be at least one token");
        }

        if (keyValueHeads == 0 || q.shape[2] % keyValueHeads != 0)
        {
            throw new ArgumentException($"{q.shape[2]} query heads are not a multiple of {keyValueHeads} key-value heads");
        }

        void Expect(string name, Tensor tensor, ReadOnlySpan<long> shape)
        {
            if (!tensor.shape.AsSpan().SequenceEqual(shape))
            {
                throw new ArgumentException($"{name} has shape [{string.Join(", ", tensor.shape)}], expected [{string.Join(", ", shape.ToArray())}]");
            }

            if (tensor.device_type != q.device_type || tensor.device_index != q.device_index)
            {
                throw new ArgumentException($"{name} is on {tensor.device}, and q on {q.device}");
            }
        }

        Expect("k", k, [batch, length, keyValueHeads, keyDim]);
        Expect("v", v, [batch, length, keyValueHeads, valueDim]);
        Expect(gate.Name, gate.Tensor, [batch, length, keyValueHeads, slots]);
        if (other is var (name, tensor))
        {
            Expect(name, tensor, [batch, length, keyValueHeads, slots]);
        }

        if (initial is not null)
        {
            Expect("the initial state's Keys", initial.Keys, [batch, keyValueHeads, keyDim, slots]);
            Expect("the initial state's Values", initial.Values, [batch, keyValueHeads, slots, valueDim]);
            if (initial.Keys.dtype != StateType(v) || initial.Values.dtype != StateType(v))
            {
                throw new ArgumentException($"the initial state is {initial.Keys.dtype} and {initial.Values.dtype}, expected {StateType(v)} for values of {v.dtype}");
            }
        }

        if (documentStarts is not null)
        {
            Expect("documentStarts", documentStarts, [batch, length]);
            if (documentStarts.dtype != ScalarType.Bool)
            {
                throw new ArgumentException($"documentStarts must be bool, found {documentStarts.dtype}");
            }
        }
    }

    internal static ScalarType StateType(Tensor v) => v.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
}
