namespace T2R.Bench;

/// <summary>What steps took.</summary>
/// <param name="Steps">All of them, in order.</param>
/// <param name="TokensPerStep">Ids that one reads.</param>
/// <param name="PeakBytes">The most of the card that was in use when looked at, in every block; 0 without a card.</param>
public sealed record TrainingBenchResult(IReadOnlyList<TrainingBenchStep> Steps, long TokensPerStep, long PeakBytes)
{
    private const int WarmUps = 2;

    /// <summary>Of the median step, the first two left out where there are more.</summary>
    public double TokensPerSecond
    {
        get
        {
            double[] seconds = [.. Steps.Skip(Math.Min(WarmUps, Steps.Count - 1)).Select(s => s.Seconds).Order()];
            return TokensPerStep / seconds[seconds.Length / 2];
        }
    }

    /// <summary>Before the first step: random weights know nothing, and it lies near the logarithm of the vocabulary.</summary>
    public double FirstLoss => Steps[0].Loss;

    /// <summary>Before the last step.</summary>
    public double LastLoss => Steps[^1].Loss;
}
