using System.Collections.Immutable;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Training.Memory;

/// <summary>What training will hold in memory at the moment when it holds most, part by part, counted from shapes.</summary>
/// <param name="Moment">Which moment that is.</param>
/// <param name="Parts">Names and bytes, in the order they are shown.</param>
/// <param name="RecordedBlocks">How many blocks a selective recomputation lets record.</param>
public sealed record MemoryPlan(string Moment, ImmutableArray<MemoryPart> Parts, int RecordedBlocks)
{
    // Of the card: what stays free for the allocator's rounding, and for kernels that want a workspace for the first time.
    private const double Spare = 0.03;

    /// <summary>All parts together.</summary>
    public long Total => Parts.Sum(p => p.Bytes);

    /// <summary>Plans.</summary>
    /// <param name="config">The model trained.</param>
    /// <param name="options">The training.</param>
    /// <param name="dtype">Of the matrices.</param>
    /// <param name="teacher">The teacher held beside it, or null.</param>
    /// <param name="card">Where it is trained; null for the CPU, whose memory is not planned against.</param>
    public static MemoryPlan Of(ModelConfig config, TrainingOptions options, ScalarType dtype, ModelConfig? teacher, CardMemory? card)
    {
        // The most that fit, by halving: more hold more.
        int fitting = 0, tooMany = options.Recompute == RecomputePolicy.Selective ? config.Layers + 1 : 1;
        while (tooMany - fitting > 1)
        {
            int recorded = (fitting + tooMany) / 2;
            (fitting, tooMany) = card is null || Of(recorded).Fits(card) ? (recorded, tooMany) : (fitting, recorded);
        }

        return Of(fitting);

        MemoryPlan Of(int blocks) => StagePlan.Of(options)
            .SelectMany(stage => new StageMemory(config, options, stage.Stage, dtype, teacher, card, blocks).Moments())
            .MaxBy(p => p.Total)!;
    }

    /// <summary>Whether a card holds it.</summary>
    /// <param name="card">The card.</param>
    public bool Fits(CardMemory card) => Total <= card.Total * (1 - Spare);
}
