using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Training.Memory;

/// <summary>Finds settings with which a training fits.</summary>
public static class MemoryAdvice
{
    /// <summary>The least changes to options, as recipe settings, with which a plan fits the card; each with what it then holds. Empty when none is known.</summary>
    /// <param name="config">The model trained.</param>
    /// <param name="options">The training that does not fit.</param>
    /// <param name="dtype">Of the matrices.</param>
    /// <param name="teacher">The teacher held beside it, or null.</param>
    /// <param name="card">The card.</param>
    public static IEnumerable<(string Settings, long Bytes)> For(ModelConfig config, TrainingOptions options, ScalarType dtype, ModelConfig? teacher, CardMemory card) =>
        from candidate in Candidates(options)
        let settings = Differences(options, candidate)
        where settings.Count > 0
        let plan = MemoryPlan.Of(config, candidate, dtype, teacher, card)
        where plan.Fits(card)
        group (Settings: string.Join(' ', settings), plan.Total, settings.Count) by settings.Count into level
        orderby level.Key
        from found in level.OrderByDescending(c => c.Total).Take(3)
        select (found.Settings, found.Total);

    private static IEnumerable<TrainingOptions> Candidates(TrainingOptions options) =>
        from halvings in Enumerable.Range(0, 6)
        where options.MicroBatchSize >> halvings > 0 && options.MicroBatchSize % (1 << halvings) == 0
        from recompute in new[] { options.Recompute, RecomputePolicy.Full }.Distinct()
        from name in new[] { options.Optimizer.Name, OptimizerName.AdamWBf16, OptimizerName.AdamW8Bit }.Distinct()
        from inBackward in new[] { options.Optimizer.InBackward, true }.Distinct()
        from offload in new[] { options.Optimizer.Offload, true }.Distinct()
        from inputs in new[] { options.OffloadInputs, true }.Distinct()
        let accumulation = options.AccumulationSteps << (inBackward ? 0 : halvings)
        where !inBackward || accumulation == 1
        where !inputs || recompute != RecomputePolicy.None
        select options with
        {
            MicroBatchSize = options.MicroBatchSize >> halvings,
            AccumulationSteps = accumulation,
            Recompute = recompute,
            OffloadInputs = inputs,
            Optimizer = options.Optimizer with { Name = name, InBackward = inBackward, Offload = offload },
        };

    private static List<string> Differences(TrainingOptions from, TrainingOptions to)
    {
        var changes = new List<string>();
        Compare("recompute", from.Recompute, to.Recompute);
        Compare("optimizer.name", from.Optimizer.Name, to.Optimizer.Name);
        Compare("optimizer.in_backward", from.Optimizer.InBackward, to.Optimizer.InBackward);
        Compare("optimizer.offload", from.Optimizer.Offload, to.Optimizer.Offload);
        Compare("offload_inputs", from.OffloadInputs, to.OffloadInputs);
        Compare("micro_batch_size", from.MicroBatchSize, to.MicroBatchSize);
        Compare("accumulation_steps", from.AccumulationSteps, to.AccumulationSteps);
        return changes;

        void Compare<T>(string key, T a, T b)
        {
            if (!EqualityComparer<T>.Default.Equals(a, b))
            {
                changes.Add($"training.{key}={TrainingJson.Text(b)}");
            }
        }
    }
}
