using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Training.Memory;

/// <summary>Settings with which a training fits.</summary>
/// <param name="Settings">Changes to its recipe, as on the command line.</param>
/// <param name="Bytes">What it then holds.</param>
/// <param name="TokensPerStep">What a step then reads: as much as before, unless nothing that keeps it fits.</param>
public sealed record MemoryAdvice(string Settings, long Bytes, long TokensPerStep)
{
    /// <summary>
    /// The least changes to options with which a plan fits the card: none of them could be left out. Those with which a step reads as much as before, or, where none of
    /// these fits, those with shorter steps. Empty when none is known.
    /// </summary>
    /// <param name="config">The model trained.</param>
    /// <param name="options">The training that does not fit.</param>
    /// <param name="dtype">Of the matrices.</param>
    /// <param name="teacher">The teacher held beside it, or null.</param>
    /// <param name="card">The card.</param>
    public static IReadOnlyList<MemoryAdvice> For(ModelConfig config, TrainingOptions options, ScalarType dtype, ModelConfig? teacher, CardMemory card)
    {
        return new[] { SameSteps(options), ShorterSteps(options) }.Select(Least).FirstOrDefault(advice => advice.Count > 0) ?? [];

        List<MemoryAdvice> Least(IReadOnlyList<(int Windows, int Parts)> cuts)
        {
            var fitting = Candidates(options).Select(candidate => FirstFitting(candidate, cuts)).OfType<(List<string> Changes, MemoryAdvice Advice)>().ToList();
            return
            [
                .. from f in fitting
                   where !fitting.Exists(g => g.Changes.Count < f.Changes.Count && g.Changes.TrueForAll(f.Changes.Contains))
                   orderby f.Changes.Count, f.Advice.Bytes descending
                   select f.Advice,
            ];
        }

        (List<string> Changes, MemoryAdvice Advice)? FirstFitting(TrainingOptions candidate, IEnumerable<(int Windows, int Parts)> cuts)
        {
            foreach (var (windows, parts) in cuts.Where(c => c.Parts == 1 || !candidate.Optimizer.InBackward))
            {
                var cut = candidate with { MicroBatchSize = windows, AccumulationSteps = parts };
                var plan = MemoryPlan.Of(config, cut, dtype, teacher, card);
                if (plan.Fits(card))
                {
                    var changes = Changes(options, cut);
                    return (changes, new MemoryAdvice(string.Join(' ', changes), plan.Total, cut.TokensPerStep));
                }
            }

            return null;
        }
    }

    private static IEnumerable<TrainingOptions> Candidates(TrainingOptions options) =>
        from recompute in Enum.GetValues<RecomputePolicy>().Where(r => r >= options.Recompute)
        from name in Enum.GetValues<OptimizerName>().Where(n => n >= options.Optimizer.Name)
        from inBackward in new[] { options.Optimizer.InBackward, !options.Optimizer.InBackward }
        from offload in new[] { options.Optimizer.Offload, true }.Distinct()
        from inputs in new[] { options.OffloadInputs, true }.Distinct()
        where !inputs || recompute != RecomputePolicy.None
        select options with
        {
            Recompute = recompute,
            OffloadInputs = inputs,
            Optimizer = options.Optimizer with { Name = name, InBackward = inBackward, Offload = offload },
        };

    // A step's windows cut as they are, then in more parts; at last in one, which is all that weights that step in the backward take.
    private static List<(int Windows, int Parts)> SameSteps(TrainingOptions options)
    {
        int all = options.MicroBatchSize * options.AccumulationSteps;
        return [.. Divisors(options.MicroBatchSize).Append(all).Distinct().Select(windows => (windows, all / windows))];
    }

    private static List<(int Windows, int Parts)> ShorterSteps(TrainingOptions options) => [.. Divisors(options.MicroBatchSize).Select(windows => (windows, 1))];

    private static IEnumerable<int> Divisors(int number) => Enumerable.Range(1, number).Where(n => number % n == 0).Reverse();

    private static List<string> Changes(TrainingOptions from, TrainingOptions to)
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
