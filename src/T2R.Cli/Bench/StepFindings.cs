using T2R.Bench;

namespace T2R.Cli.Bench;

/// <summary>What was checked before steps were timed, and what they took.</summary>
internal sealed record StepFindings(IReadOnlyDictionary<string, Agreement> Agreements, TrainingBenchResult Result)
{
    /// <summary>The gradient that is farthest off, or the loss.</summary>
    public KeyValuePair<string, Agreement> Worst => Agreements.MinBy(a => a.Value.Cosine);
}
