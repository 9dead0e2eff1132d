namespace T2R.Training;

/// <summary>One evaluation on held-out text.</summary>
/// <param name="Step">Steps done before it.</param>
/// <param name="Tokens">Ids read since the run began.</param>
/// <param name="EvaluationLoss">Mean cross-entropy, in nats a prediction.</param>
/// <param name="Perplexity">e to that.</param>
/// <param name="Predictions">How many predictions it is the mean of.</param>
public sealed record EvaluationMetrics(int Step, long Tokens, double EvaluationLoss, double Perplexity, long Predictions);
