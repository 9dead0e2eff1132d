namespace T2R.Bench;

/// <summary>What a bench found.</summary>
/// <param name="Agreements">Of each result with its reference.</param>
/// <param name="Lines">What was timed.</param>
public sealed record BenchResult(IReadOnlyDictionary<string, Agreement> Agreements, IReadOnlyList<BenchLine> Lines);
