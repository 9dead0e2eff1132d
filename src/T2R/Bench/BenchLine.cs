namespace T2R.Bench;

/// <summary>One thing timed.</summary>
/// <param name="Name">What.</param>
/// <param name="Seconds">The median.</param>
/// <param name="FloorSeconds">The least that the card's measured rates allow.</param>
public sealed record BenchLine(string Name, double Seconds, double FloorSeconds)
{
    /// <summary>How many times the floor it took.</summary>
    public double TimesFloor => Seconds / FloorSeconds;
}
