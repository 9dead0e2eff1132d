namespace T2R.Bench;

/// <summary>What a bench found.</summary>
/// <param name="Errors">‖a − b‖ / ‖b‖ of each result against the reference.</param>
/// <param name="Lines">What was timed.</param>
public sealed record BenchResult(IReadOnlyDictionary<string, double> Errors, IReadOnlyList<BenchLine> Lines);

/// <summary>One thing timed.</summary>
/// <param name="Name">What.</param>
/// <param name="Seconds">The median.</param>
/// <param name="FloorSeconds">The least that the card's measured rates allow.</param>
public sealed record BenchLine(string Name, double Seconds, double FloorSeconds)
{
    /// <summary>How many times the floor it took.</summary>
    public double TimesFloor => Seconds / FloorSeconds;
}
