using System.Collections.Immutable;

namespace T2R.Training;

/// <summary>
/// A part of a run with its own aim and its own choice of weights. Each stage has the whole schedule for itself (warm-up, cosine to the floor) and begins with
/// fresh optimizer moments: those of another aim are of another size.
/// </summary>
/// <param name="Name">Shown in metrics and messages.</param>
public sealed record TrainingStage(string Name)
{
    /// <summary>How many steps; null, for the last stage alone, means all that are left.</summary>
    public int? Steps { get; init; }

    /// <summary>Times the learning rate.</summary>
    public double LearningRateFactor { get; init; } = 1;

    /// <summary>Patterns of the weights that are trained; all others are frozen in this stage.</summary>
    public ImmutableArray<string> Trained { get; init; } = ["*"];

    /// <summary>What is minimised.</summary>
    public StageObjective Objective { get; init; }
}
