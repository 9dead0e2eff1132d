using T2R.Models;
using T2R.Training.Optimizers;

namespace T2R.Training;

/// <summary>Which weights a stage trains, and how.</summary>
internal static class WeightChoice
{
    /// <summary>The weights of a stage, in the model's order.</summary>
    public static List<TrainedWeight> Of(TrainingOptions options, TrainingStage stage, WeightSet weights) =>
    [
        .. from weight in weights.All
           where IsTrained(options, stage, weight.Spec.Name)
           let @group = GroupOf(options, weight.Spec.Name)
           select new TrainedWeight(
               weight.Spec.Name,
               weight.Tensor,
               @group?.LearningRateMultiplier ?? 1,
               @group?.WeightDecay ?? (weight.Spec.IsNorm ? 0 : options.Optimizer.WeightDecay)),
    ];

    /// <summary>Whether a stage of the run trains a weight; if none does, it stays as the run found it.</summary>
    public static bool IsEverTrained(TrainingOptions options, string name) => StagePlan.Of(options).Any(p => IsTrained(options, p.Stage, name));

    /// <summary>Whether a stage trains a weight.</summary>
    public static bool IsTrained(TrainingOptions options, TrainingStage stage, string name) =>
        (options.Lora is null || LoraConfig.IsAdapter(name) || IsNew(name))
        && stage.Trained.Any(pattern => NamePattern.Matches(pattern, name))
        && GroupOf(options, name) is not { Frozen: true }
        && (stage.Objective != StageObjective.Mixers || name.Contains(".mixer.", StringComparison.Ordinal));

    // What conversion adds.
    private static bool IsNew(string name) => name.EndsWith(".f_proj.weight", StringComparison.Ordinal) || name.EndsWith(".g_norm.weight", StringComparison.Ordinal);

    private static ParameterGroup? GroupOf(TrainingOptions options, string name) =>
        options.Groups.LastOrDefault(g => NamePattern.Matches(g.Pattern, name));
}
