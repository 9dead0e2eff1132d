using T2R.Models;
using T2R.Training;

namespace T2R.Bench;

/// <summary>Operations that a training step must do, counted from the shape: those of products with weights, which are nearly all.</summary>
public static class TrainingWork
{
    /// <summary>
    /// Floating-point operations a token: two a weight forward, two for the gradient of what the product read, two for the weight's own where it is trained, and two more in
    /// blocks that run again before their backward. The embedding is looked up, not multiplied; a tied one is, as the head.
    /// </summary>
    /// <param name="config">The shape.</param>
    /// <param name="teacher">The shape of a teacher, which runs forward alone; or null.</param>
    /// <param name="options">What is computed again, and which weights are frozen.</param>
    /// <param name="stage">Which weights are trained.</param>
    /// <param name="recordedBlocks">How many blocks, from the last on, keep their products under <see cref="RecomputePolicy.Selective"/>.</param>
    public static double OperationsPerToken(ModelConfig config, ModelConfig? teacher, TrainingOptions options, TrainingStage stage, int recordedBlocks)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(stage);
        int again = options.Recompute switch
        {
            RecomputePolicy.None => 0,
            RecomputePolicy.Selective => config.Layers - recordedBlocks,
            _ => config.Layers,
        };
        return Factors(config).Sum(w => 2.0 * w.Count * (2 + Trained(w) + RunsAgain(w))) + (teacher is null ? 0 : Factors(teacher).Sum(w => 2.0 * w.Count));

        int Trained(WeightSpec weight) => WeightChoice.IsTrained(options, stage, weight.Name) ? 1 : 0;
        int RunsAgain(WeightSpec weight) => Enumerable.Range(0, again).Any(i => WeightLayout.IsOfBlock(i, weight.Name)) ? 1 : 0;
    }

    private static IEnumerable<WeightSpec> Factors(ModelConfig config) =>
        WeightLayout.Of(config).Where(w => !w.IsNorm && (w.Name != WeightLayout.Embedding || config.TieWordEmbeddings));
}
