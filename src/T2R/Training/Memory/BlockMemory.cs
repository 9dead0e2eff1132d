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
internal sealed class BlockMemory(ModelConfig config, int index, long batch, long length, ScalarType dtype, long slotsAtOnce)
{
    private readonly MixerConfig _mixer = config.Mixers[index];
    private readonly long _element = DtypeName.Bytes(dtype);
    private readonly long _tokens = batch * length;

    /// <summary>What mixers take at once under options: as much as is fast, unless the options ask for little memory.</summary>
    public static long SlotsAtOnce(TrainingOptions options) => options.Recompute != RecomputePolicy.Full ? GatedSlotMaps.MostSlotsAtOnce
        : options.Optimizer.InBackward ? GatedSlotMaps.MostSlotsAtOnce / 4
        : GatedSlotMaps.MostSlotsAtOnce / 2;

    /// <summary>A residual stream.</summary>
    public long Stream => _tokens * config.HiddenSize * _element;

    /// <summary>What a recorded forward leaves: the outputs of every product and of the operator.</summary>
    public long Recorded
    {
        get
        {
            long slots = _mixer is GatedSlotAttentionConfig gated ? gated.SlotSize + _mixer.QuerySize : 0;
            return _tokens * _element * (_mixer.QuerySize + (2L * _mixer.KeyValueSize) + slots + config.HiddenSize + (2L * config.IntermediateSize));
        }
    }

    /// <summary>What a whole graph keeps, from the forward to the backward.</summary>
    public long Graph => MixerGraph + (2 * Stream) + (2 * _tokens * config.IntermediateSize * _element);

    /// <summary>What the backward needs beside weights, their gradients and the block's input, when the graph is made anew.</summary>
    public long Replay => MixerGraph + Math.Max((3 * Stream) + MlpChunk, (2 * Stream) + Operator);

    /// <summary>The same when the graph was kept.</summary>
    public long Backward => Math.Max((2 * Stream) + MlpChunk, (3 * Stream) + Operator);

    // Normalised input, projections and the operator's output; softmax attention also keeps queries and keys once turned, and both repeated for all heads.
    private long MixerGraph
    {
        get
        {
            long projections = config.HiddenSize + (2L * _mixer.QuerySize) + (2L * _mixer.KeyValueSize);
            return _tokens * _element * (projections + (_mixer is GatedSlotAttentionConfig slots ? slots.SlotSize : (4L * _mixer.QuerySize) + (2L * _mixer.KeyValueSize)));
        }
    }

    // Gate, up, silu of the gate, and the product or its gradient, for the rows taken at once.
    private long MlpChunk => 4 * Math.Min(_tokens * config.IntermediateSize, SwiGlu.ChunkElements) * _element;

    private long Operator
    {
        get
        {
            if (_mixer is not GatedSlotAttentionConfig slots)
            {
                return _tokens * _element * 4L * _mixer.QuerySize;
            }

            long segment = Math.Min(length, SegmentedChunk.SegmentLength(batch, slots.KeyValueHeads, slots.Slots, slotsAtOnce));
            return (SegmentedChunk.BytesOfSlot * batch * segment * slots.KeyValueHeads * slots.Slots) + (_tokens * _element * (_mixer.QuerySize + (2L * _mixer.KeyValueSize)));
        }
    }
}
