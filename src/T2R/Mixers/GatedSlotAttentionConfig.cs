namespace T2R.Mixers;

/// <summary>Gated Slot Attention (Zhang et al., NeurIPS 2024): a state of M slots a head instead of a cache of keys and values.</summary>
/// <param name="Heads">Query heads, H.</param>
/// <param name="KeyValueHeads">Key and value heads, Hkv; each holds a state that its group of query heads shares.</param>
/// <param name="HeadDim">Width of a head, K = V.</param>
/// <param name="Slots">Slots a head, M.</param>
/// <param name="GateLogitNormalizer">τ: the log forget gate is logsigmoid(logit) / τ.</param>
public sealed record GatedSlotAttentionConfig(int Heads, int KeyValueHeads, int HeadDim, int Slots, double GateLogitNormalizer = 8)
    : MixerConfig(Heads, KeyValueHeads, HeadDim)
{
    /// <summary>ε of the norm over the concatenated heads; the published format fixes it.</summary>
    public const double OutputNormEpsilon = 1e-5;

    /// <summary>Rows of <c>f_proj</c>: every kv head's slots, kv head major.</summary>
    public int SlotSize => KeyValueHeads * Slots;
}
