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
/// <param name="workspace">What layers take at once: <see cref="WorkspaceOf"/>.</param>
/// <param name="onCard">Whether it runs on a card.</param>
/// <param name="fp8">Whether it multiplies with its weights in FP8.</param>
internal sealed class BlockMemory(ModelConfig config, int index, long batch, long length, ScalarType dtype, Workspace workspace, bool onCard, bool fp8 = false)
{
    private readonly MixerConfig _mixer = config.Mixers[index];
    private readonly long _bytes = batch * length * DtypeName.Bytes(dtype);

    /// <summary>What layers take at once under options: as much as is fast, unless the options ask for little memory.</summary>
    public static Workspace WorkspaceOf(TrainingOptions options) => options.Recompute != RecomputePolicy.Full ? new Workspace(1L << 21, 1L << 27)
        : options.Optimizer.InBackward ? new Workspace(1L << 19, 1L << 25)
        : new Workspace(1L << 20, 1L << 27);

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
        ? MlpChunk(policy) + (policy == RecomputePolicy.Full ? 0 : 2 * Wide) + (policy == RecomputePolicy.None ? Stream : 0)
        : MlpGraph + (3 * Wide) + (policy == RecomputePolicy.None ? Stream : 0));

    /// <summary>The same for the mixer's, when the MLP's graph is gone.</summary>
    public long MixerBackward => MixerGraph + (2 * Stream) + Operator;

    private bool HasPlainMlp => !Adapts(".mlp.");

    // What is as wide as the MLP, for all tokens.
    private long Wide => _bytes * config.IntermediateSize;

    // Queries, keys and values; of gated slots also the gate's logits, the operator's output and its states.
    private long Products => (_bytes * (_mixer.QuerySize + (2L * _mixer.KeyValueSize)))
        + (_mixer is GatedSlotAttentionConfig slots ? (_bytes * (slots.SlotSize + _mixer.QuerySize)) + Chunks(slots).Kept : 0);

    // These and the normalised input; where an adapter or FP8 takes the output norm and its product apart, what is between them. Softmax attention also keeps queries and keys once turned, both repeated for all heads, and its output twice.
    private long MixerGraph => Products + Stream
        + (fp8 || Adapts(".mixer.o_proj.") ? _bytes * _mixer.QuerySize : 0)
        + (_mixer is GatedSlotAttentionConfig ? 0 : _bytes * ((5L * _mixer.QuerySize) + (2L * _mixer.KeyValueSize)));

    // Gate and up; an adapter takes SwiGLU apart, and then the norm and the product are kept too, none of them in chunks.
    private long MlpGraph => HasPlainMlp ? 2 * Wide : Stream + (3 * Wide);

    // For the rows taken at once: gate, up, and the product or its gradient, of tensors silu of the gate as well. Kernels write over a gate and an up that a tape gave. In FP8
    // gate and up stay to the end, and beside the product's gradient there are the product and the gradients of gate and up, rounded, both ways; and the weights, transposed.
    private long MlpChunk(RecomputePolicy policy)
    {
        long chunk = Math.Min(Wide, workspace.WideElements * DtypeName.Bytes(dtype));
        return !onCard || dtype != ScalarType.BFloat16 ? 4 * chunk
            : fp8 ? ((policy == RecomputePolicy.Selective ? 4 : 5) * chunk) + (3L * config.HiddenSize * config.IntermediateSize)
            : (policy == RecomputePolicy.Selective ? 1 : 3) * chunk;
    }

    // The operator's backward, or that of the projections before it when it is done: their gradients, in FP8 these once more as they lie and transposed, and the weights.
    private long Operator => _mixer is GatedSlotAttentionConfig slots
        ? Math.Max(Chunks(slots).Backward, fp8 ? (_bytes * Projected) + (config.HiddenSize * Projected) : 0) + (_bytes * Projected)
        : (_bytes * 4 * _mixer.QuerySize) + (fp8 ? config.HiddenSize * Projected : 0);

    // Rows of all projections that the mixer's input passes.
    private long Projected => _mixer.QuerySize + (2L * _mixer.KeyValueSize) + (_mixer is GatedSlotAttentionConfig slots ? slots.SlotSize : 0);

    private ChunkMemory Chunks(GatedSlotAttentionConfig slots) =>
        ChunkMemory.Of(batch, length, slots.Heads, slots.KeyValueHeads, slots.HeadDim, slots.Slots, dtype, workspace.Slots, onCard);

    private bool Adapts(string part) =>
        config.Lora is { } lora && WeightLayout.OfBlock(config, index).Any(s => s.Name.Contains(part, StringComparison.Ordinal) && lora.Adapts(s));
}
