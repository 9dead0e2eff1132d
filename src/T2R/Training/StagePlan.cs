using System.Collections.Immutable;

namespace T2R.Training;

/// <summary>Stages laid out over the run's steps.</summary>
/// <param name="Stage">What is done.</param>
/// <param name="Index">Which stage it is, from 0.</param>
/// <param name="FirstStep">Steps of the run before it.</param>
/// <param name="Steps">Its own steps.</param>
public sealed record StagePlan(TrainingStage Stage, int Index, int FirstStep, int Steps)
{
    /// <summary>The stages of a run, in order; they cover its steps.</summary>
    /// <param name="options">Checked options.</param>
    public static ImmutableArray<StagePlan> Of(TrainingOptions options)
    {
        var plans = ImmutableArray.CreateBuilder<StagePlan>();
        int first = 0;
        foreach (var stage in options.Stages.IsDefaultOrEmpty ? [new TrainingStage("train")] : options.Stages)
        {
            int steps = stage.Steps ?? Math.Max(0, options.Steps - first);
            plans.Add(new StagePlan(stage, plans.Count, first, steps));
            first += steps;
        }

        return plans.ToImmutable();
    }
}
