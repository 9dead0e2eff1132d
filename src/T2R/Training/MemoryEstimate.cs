using System.Collections.Immutable;
using T2R.Mixers;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>What training will hold in memory, part by part, counted from shapes. An estimate: allocators round up, and the program itself is not in it.</summary>
/// <param name="Parts">Names and bytes, in the order they are shown.</param>
public sealed record MemoryEstimate(ImmutableArray<(string Part, long Bytes)> Parts)
{
    /// <summary>All parts together.</summary>
    public long Total => Parts.Sum(p => p.Bytes);

    /// <summary>Counts.</summary>
    /// <param name="config">The model trained.</param>
    /// <param name="options">The training.</param>
    /// <param name="dtype">Of the matrices.</param>
    /// <param name="teacher">The teacher held beside it, or null.</param>
    public static MemoryEstimate Of(ModelConfig config, TrainingOptions options, ScalarType dtype, ModelConfig? teacher)
    {
        int element = DtypeName.Bytes(dtype);
        long parameters = WeightLayout.Of(config).Sum(s => s.Count);
        long masters = element == 4 ? 0 : 4 * parameters;
        long tokens = (long)options.WindowLength * options.MicroBatchSize;
        long input = tokens * config.HiddenSize * element;
        long widest = Enumerable.Range(0, config.Layers).Max(i => BlockActivations(config, i)) * tokens * element;
        long kept = options.Recompute == RecomputePolicy.Full ? widest : Enumerable.Range(0, config.Layers).Sum(i => BlockActivations(config, i)) * tokens * element;
        var parts = ImmutableArray.CreateBuilder<(string, long)>();
        parts.Add(("weights", element * parameters));
        parts.Add(("gradients", element * parameters));
        parts.Add(("optimizer", masters + (8 * parameters)));
        parts.Add(("block inputs", input * (config.Layers + 1)));
        parts.Add((options.Recompute == RecomputePolicy.Full ? "one block's activations" : "all blocks' activations", kept));
        parts.Add(("logits", 3 * 4 * Math.Min(tokens * config.VocabularySize, NextTokenLoss.DeviceLogits) * (teacher is null ? 1 : 2)));
        if (teacher is not null)
        {
            parts.Add(("teacher", element * WeightLayout.Of(teacher).Sum(s => s.Count)));
        }

        return new MemoryEstimate(parts.ToImmutable());
    }

    // Numbers a token that a block's backward needs: normalised inputs and the outputs of every projection with what follows them.
    private static long BlockActivations(ModelConfig config, int i)
    {
        var mixer = config.Mixers[i];
        long projections = (2L * mixer.QuerySize) + (4L * mixer.KeyValueSize);
        long gates = mixer is GatedSlotAttentionConfig slots ? 4L * slots.SlotSize : 0;
        return (6L * config.HiddenSize) + projections + gates + (2L * mixer.QuerySize) + (4L * config.IntermediateSize);
    }
}
