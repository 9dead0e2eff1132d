using T2R.Ops;
using T2R.Ops.Fp8;
using T2R.Ops.GatedSlot;
using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>
/// Gated Slot Attention (Zhang et al., NeurIPS 2024, section 3): q, k, v pass through silu; the gate g = logsigmoid(f)/τ, the write s = 1 − e^g; the operator's
/// output passes through silu and one norm over all heads before the output projection. No positions, no bias, scale 1.
/// </summary>
/// <param name="config">Its shape.</param>
/// <param name="q_proj">Queries, <c>[H·d, D]</c>.</param>
/// <param name="k_proj">Keys, <c>[Hkv·d, D]</c>.</param>
/// <param name="v_proj">Values, <c>[Hkv·d, D]</c>.</param>
/// <param name="f_proj">Forget gate logits, <c>[Hkv·M, D]</c>, kv head major.</param>
/// <param name="g_norm">Weight of the output norm, <c>[H·d]</c>.</param>
/// <param name="o_proj">Output, <c>[D, H·d]</c>.</param>
public sealed class GatedSlotAttention(
    GatedSlotAttentionConfig config, Projection q_proj, Projection k_proj, Projection v_proj, Projection f_proj, Tensor g_norm, Projection o_proj) : ITokenMixer
{
    /// <inheritdoc />
    public Tensor Forward(Tensor x_BTD, SequenceContext context, IMixerState? state, Tape? tape = null, Fp8Layer? fp8 = null)
    {
        using var scope = NewDisposeScope();
        var o = Mix(x_BTD, context, state, tape, fp8);
        return (o_proj.HasAdapter || fp8 is not null
            ? o_proj.Apply(RmsNorm.ApplyToSilu(o, g_norm, GatedSlotAttentionConfig.OutputNormEpsilon), tape, fp8?.MixerOutput)
            : SiluNormLinear.Apply(o, g_norm, GatedSlotAttentionConfig.OutputNormEpsilon, o_proj.Weight, tape)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc />
    public void AddTo(Tensor stream_BTD, Tensor x_BTD, SequenceContext context, IMixerState? state)
    {
        using var scope = NewDisposeScope();
        var normed = RmsNorm.ApplyToSilu(Mix(x_BTD, context, state), g_norm, GatedSlotAttentionConfig.OutputNormEpsilon);
        if (o_proj.HasAdapter)
        {
            stream_BTD.add_(o_proj.Apply(normed));
        }
        else
        {
            stream_BTD.view(-1, stream_BTD.shape[2]).addmm_(normed.view(-1, config.QuerySize), o_proj.Weight.t(), 1, 1);
        }
    }

    /// <inheritdoc />
    public IMixerState CreateState(long batch) =>
        new GatedSlotLayerState(batch, config, g_norm.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32, g_norm.device);

    // The operator's output, [B, T, H·d].
    private Tensor Mix(Tensor x_BTD, SequenceContext context, IMixerState? state, Tape? tape = null, Fp8Layer? fp8 = null)
    {
        long batch = x_BTD.shape[0], length = x_BTD.shape[1];
        var products = Projection.Apply(x_BTD, [q_proj, k_proj, v_proj, f_proj], tape, fp8?.MixerInput);
        var q = Heads(products[0], config.Heads, config.HeadDim);
        var k = Heads(products[1], config.KeyValueHeads, config.HeadDim);
        var v = Heads(products[2], config.KeyValueHeads, config.HeadDim);
        var f = Heads(products[3], config.KeyValueHeads, config.Slots);
        var carried = (GatedSlotLayerState?)state;
        var (o, final) = GatedSlotMaps.Apply(context.Form, q, k, v, f, config.GateLogitNormalizer, carried?.Value, context.DocumentStarts_BT, context.Workspace.Slots, tape);
        carried?.Replace(final);
        return o.reshape(batch, length, config.QuerySize);

        Tensor Heads(Tensor x_BTE, int heads, int width) => x_BTE.view(batch, length, heads, width);
    }
}
