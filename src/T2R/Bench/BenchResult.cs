namespace T2R.Bench;

/// <summary>What a bench found.</summary>
/// <param name="Errors">‖a − b‖ / ‖b‖ of each result against the reference.</param>
/// <param name="Lines">What was timed.</param>
public sealed record BenchResult(IReadOnlyDictionary<string, double> Errors, IReadOnlyList<BenchLine> Lines);
