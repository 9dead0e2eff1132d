using T2R.Models;
using T2R.Ops.Fp8;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>Where products in FP8 can run, and which of a model's.</summary>
public static class Fp8Support
{
    /// <summary>Finds out whether matrices of a type can be multiplied in FP8 on this machine's first card; on a CPU all can.</summary>
    /// <param name="options">The training.</param>
    /// <param name="dtype">Of the matrices.</param>
    /// <param name="onCard">Whether the model runs on a card.</param>
    /// <param name="isHere">Whether that card is in this machine; if not, its capability is not known.</param>
    /// <param name="problems">Receives what is in the way.</param>
    public static void Check(TrainingOptions options, ScalarType dtype, bool onCard, bool isHere, Problems problems)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(problems);
        if (!options.Fp8 || !onCard)
        {
            return;
        }

        if (dtype != ScalarType.BFloat16)
        {
            problems.Add($"training.fp8 needs bf16 weights on a card, and dtype is {DtypeName.Of(dtype)}; make it bf16, or fp8 false.");
        }

        if (isHere && CudaFp8Cast.Lack(0) is { } lack)
        {
            problems.Add($"training.fp8 cannot run here: {lack}. Make it false.");
        }
    }

    /// <summary>A sentence for what a training does not gain from FP8.</summary>
    /// <param name="options">The training.</param>
    /// <param name="model">The shape that is trained.</param>
    /// <param name="onCard">Whether the model runs on a card.</param>
    internal static IEnumerable<string> Idle(TrainingOptions options, ModelConfig model, bool onCard)
    {
        if (!options.Fp8)
        {
            yield break;
        }

        if (!onCard)
        {
            yield return "training.fp8 on the CPU rounds as a card does, and takes longer than without.";
        }

        long rows = (long)options.WindowLength * options.MicroBatchSize;
        if (!Fp8Product.Fits(rows))
        {
            yield return $"training.fp8 has no effect: a micro-batch has {rows} tokens, and FP8 products take multiples of {Fp8Product.Multiple}.";
            yield break;
        }

        foreach (string group in WeightLayout.Of(model).Where(s => s.Name.StartsWith("blocks.", StringComparison.Ordinal) && s.Shape.Length == 2).GroupBy(GroupOf).Where(g => !g.All(Fits)).Select(g => g.Key).Distinct())
        {
            yield return $"training.fp8 leaves {group} in the weights' own type: FP8 products take sizes that are multiples of {Fp8Product.Multiple}.";
        }
    }

    private static bool Fits(WeightSpec spec) => Fp8Product.Fits(spec.Shape.AsSpan());

    // What is multiplied together.
    private static string GroupOf(WeightSpec spec) =>
        spec.Name.Contains(".mlp.", StringComparison.Ordinal) ? "the MLPs' products" : spec.Name.Contains(".o_proj.", StringComparison.Ordinal) ? "products with o_proj" : "products with q_proj and those beside it";
}
