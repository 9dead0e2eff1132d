using System.Globalization;
using T2R.Training;
using static TorchSharp.torch;

namespace T2R.Recipes;

/// <summary>The settings of a recipe that make it need less memory, those that cost least first.</summary>
internal static class LessMemory
{
    /// <summary>What a recipe has not yet made use of.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="dtype">Type of its matrices.</param>
    /// <param name="onCard">Whether the card's memory is short; else the host's is, where a run without a card has everything.</param>
    /// <param name="hasCard">Whether the model runs on a card.</param>
    public static IEnumerable<MemorySetting> For(Recipe recipe, ScalarType dtype, bool onCard, bool hasCard)
    {
        var training = recipe.Training;
        if (hasCard && !onCard)
        {
            return OnHost(training);
        }

        return [.. InSameRun(training, hasCard), .. InNewRun(recipe, dtype)];
    }

    private static IEnumerable<MemorySetting> OnHost(TrainingOptions training)
    {
        if (training.Optimizer.Offload)
        {
            yield return new("training.optimizer.offload=false", "the moments stay on the card", true);
        }

        if (training.OffloadInputs)
        {
            yield return new("training.offload_inputs=false", "the inputs of the blocks stay on the card", true);
        }
    }

    private static IEnumerable<MemorySetting> InSameRun(TrainingOptions training, bool hasCard)
    {
        if (training.Recompute != RecomputePolicy.Full)
        {
            yield return new("training.recompute=full", "each block keeps its input alone and runs again in the backward", true);
        }

        if (hasCard && !training.OffloadInputs)
        {
            string recompute = training.Recompute == RecomputePolicy.None ? "training.recompute=full " : string.Empty;
            yield return new($"{recompute}training.offload_inputs=true", "the inputs of the blocks wait in host memory", true);
        }

        if (hasCard && !training.Optimizer.Offload)
        {
            yield return new("training.optimizer.offload=true", "the moments lie in host memory", true);
        }
    }

    private static IEnumerable<MemorySetting> InNewRun(Recipe recipe, ScalarType dtype)
    {
        var training = recipe.Training;
        if (training.MicroBatchSize > 1 && !training.Optimizer.InBackward)
        {
            int parts = training.MicroBatchSize % 2 == 0 ? 2 : training.MicroBatchSize;
            yield return new(
                Invariant($"training.micro_batch_size={training.MicroBatchSize / parts} training.accumulation_steps={training.AccumulationSteps * parts}"),
                "the same step in smaller pieces", false);
        }
        else if (training.MicroBatchSize > 1)
        {
            yield return new(Invariant($"training.micro_batch_size={training.MicroBatchSize / 2}"), "fewer tokens at once", false);
        }

        if (dtype != ScalarType.BFloat16)
        {
            yield return new("dtype=bf16", "half the size of weights, gradients and activations", false);
        }

        if (training.Optimizer.Name != OptimizerName.AdamW8Bit)
        {
            yield return new("training.optimizer.name=adamw_8bit", "2 bytes of moments a weight, and no fp32 copy of it", false);
        }

        if (!training.Optimizer.InBackward)
        {
            const string Effect = "each block steps in the backward, so that the gradients of the whole model never exist together";
            yield return training.AccumulationSteps > 1
                ? new("training.optimizer.in_backward=true training.accumulation_steps=1", Invariant($"{Effect}; a step reads {training.TokensPerStep / training.AccumulationSteps} tokens instead of {training.TokensPerStep}"), false)
                : new("training.optimizer.in_backward=true", Effect, false);
        }

        if (training.Distillation is { Weight: > 0 })
        {
            yield return new("training.distillation=null", "no teacher is held beside the model", false);
        }

        yield return new(Invariant($"data.window_length={Math.Max(2, recipe.Data.WindowLength / 2)}"), "shorter windows", false);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
