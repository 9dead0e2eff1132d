namespace T2R.Mixers;

/// <summary>Causal softmax attention with grouped heads and rotary positions, as in Mistral and Llama.</summary>
/// <param name="Heads">Query heads, H.</param>
/// <param name="KeyValueHeads">Key and value heads, Hkv.</param>
/// <param name="HeadDim">Width of a head.</param>
/// <param name="RopeTheta">Base of the rotary frequencies.</param>
/// <param name="SlidingWindow">How many positions a token sees, itself included; null when it sees all.</param>
/// <param name="RopeScaling">How the rotary frequencies differ from those of θ; null when they do not.</param>
public sealed record SoftmaxAttentionConfig(int Heads, int KeyValueHeads, int HeadDim, double RopeTheta, int? SlidingWindow, RopeScaling? RopeScaling = null)
    : MixerConfig(Heads, KeyValueHeads, HeadDim);
