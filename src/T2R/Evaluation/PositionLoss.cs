namespace T2R.Evaluation;

/// <summary>How well tokens are predicted that come so far into a text.</summary>
/// <param name="First">The fewest tokens before a prediction.</param>
/// <param name="Last">The most.</param>
/// <param name="Perplexity">Over these predictions.</param>
public sealed record PositionLoss(long First, long Last, Perplexity Perplexity);
