using T2R.Mixers;
using T2R.Models;
using T2R.Ops;
using T2R.Ops.GatedSlot;
using static TorchSharp.torch;

namespace T2R.Training.Memory;

/// <summary>Bytes that one block of a model needs for some tokens while it is trained.</summary>
/// <param name="config">The model.</param>
/// <param name="index">Which block.</param>
/// <param name="batch">Sequences, B.</param>
/// <param name="length">Tokens of each, T.</param>
/// <param name="dtype">Of the matrices.</param>
/// <param name="slotsAtOnce">What mixers take at once: <see cref="SlotsAtOnce"/>.</param>
/// <param name="onCard">Whether it runs on a card.</param>
internal sealed class BlockMemory(ModelConfig config, int index, long batch, long length, ScalarType dtype, long slotsAtOnce, bool onCard)
{
    private readonly MixerConfig _mixer = config.Mixers[index];
    private readonly long _bytes = batch * length * DtypeName.Bytes(dtype);

    /// <summary>What mixers take at once under options: as much as is fast, unless the options ask for little memory.</summary>
    public static long SlotsAtOnce(TrainingOptions options) => options.Recompute != RecomputePolicy.Full ? GatedSlotMaps.MostSlotsAtOnce
        : options.Optimizer.InBackward ? GatedSlotMaps.MostSlotsAtOnce / 4
        : GatedSlotMaps.MostSlotsAtOnce / 2;

    /// <summary>A residual stream.</summary>
    public long Stream => _bytes * config.HiddenSize;

    /// <summary>What waits for the block's backward beside its input: the outputs of every product and of the operator where it is recorded, the graph where nothing is computed again.</summary>
    /// <param name="policy">How this block is computed again.</param>
    public long Waiting(RecomputePolicy policy) => policy switch
    {
        RecomputePolicy.None => MixerGraph + MlpGraph + (2 * Stream),
        RecomputePolicy.Selective => Products + Stream + (2 * Wide) + (HasPlainMlp ? 0 : Stream),
        _ => 0,
    };

    /// <summary>What the MLP's backward needs beside weights, their gradients and the block's input: the graph of all of the block, and of the residual stream m, dy and dm.</summary>
    /// <inheritdoc cref="Waiting" path="/param" />
    public long MlpBackward(RecomputePolicy policy) => MixerGraph + (3 * Stream) + (HasPlainMlp
        ? MlpChunk + (policy == RecomputePolicy.Full ? 0 : 2 * Wide) + (policy == RecomputePolicy.None ? Stream : 0)
        : MlpGraph + (3 * Wide) + (policy == RecomputePolicy.None ? Stream : 0));

    /// <summary>The same for the mixer's, when the MLP's graph is gone.</summary>
    public long MixerBackward => MixerGraph + (2 * Stream) + Operator;

    private bool HasPlainMlp => !Adapts(".mlp.");

    // What is as wide as the MLP, for all tokens.
    private long Wide => _bytes * config.IntermediateSize;

    // Queries, keys and values; of gated slots also the gate's logits, the operator's output and its states.
    private long Products => (_bytes * (_mixer.QuerySize + (2L * _mixer.KeyValueSize)))
        + (_mixer is GatedSlotAttentionConfig slots ? (_bytes * (slots.SlotSize + _mixer.QuerySize)) + Chunks(slots).Kept : 0);

    // These and the normalised input. Softmax attention also keeps queries and keys once turned, both repeated for all heads, and its output twice.
    private long MixerGraph => Products + Stream
        + (Adapts(".mixer.o_proj.") ? _bytes * _mixer.QuerySize : 0)
        + (_mixer is GatedSlotAttentionConfig ? 0 : _bytes * ((5L * _mixer.QuerySize) + (2L * _mixer.KeyValueSize)));

    // Gate and up; an adapter takes SwiGLU apart, and then the norm and the product are kept too, none of them in chunks.
    private long MlpGraph => HasPlainMlp ? 2 * Wide : Stream + (3 * Wide);

    // Gate, up, silu of the gate, and the product or its gradient, for the rows taken at once.
    private long MlpChunk => 4 * Math.Min(Wide, SwiGlu.ChunkElements * DtypeName.Bytes(dtype));

    private long Operator => _mixer is GatedSlotAttentionConfig slots
        ? Chunks(slots).Backward + (_bytes * (_mixer.QuerySize + (2L * _mixer.KeyValueSize) + slots.SlotSize))
        : _bytes * 4 * _mixer.QuerySize;

    private ChunkMemory Chunks(GatedSlotAttentionConfig slots) =>
        ChunkMemory.Of(batch, length, slots.Heads, slots.KeyValueHeads, slots.HeadDim, slots.Slots, dtype, slotsAtOnce, onCard);

    private bool Adapts(string part) =>
        config.Lora is { } lora && WeightLayout.OfBlock(config, index).Any(s => s.Name.Contains(part, StringComparison.Ordinal) && lora.Adapts(s));
}
