using T2R.Mixers;

namespace T2R.Models;

/// <summary>How much a model remembers of one sequence, computed from its shape: the numbers that matter. A cache in memory (<see cref="ModelState.ByteCount"/>) may be up to twice as large, as it grows by doubling.</summary>
public static class StateSize
{
    private const int StateElementBytes = 4; // slots are kept in fp32 whatever the weights are

    /// <summary>Bytes of state after a number of tokens: constant for gated slots, growing up to the window for softmax layers.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="tokens">Tokens seen.</param>
    /// <param name="cacheElementBytes">Bytes of a cached key or value, such as 2 for bf16.</param>
    public static long Bytes(ModelConfig config, long tokens, int cacheElementBytes) => config.Mixers.Sum(mixer => mixer switch
    {
        GatedSlotAttentionConfig slots => 2L * slots.KeyValueSize * slots.Slots * StateElementBytes,
        SoftmaxAttentionConfig softmax => 2L * softmax.KeyValueSize * Math.Min(tokens, softmax.SlidingWindow ?? tokens) * cacheElementBytes,
        _ => throw new ArgumentException($"the state of {mixer.GetType().Name} is not known", nameof(config)),
    });
}
