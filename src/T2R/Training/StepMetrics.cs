namespace T2R.Training;

/// <summary>One step, as the metrics tell it.</summary>
/// <param name="Step">Steps done, this one included.</param>
/// <param name="Stage">The stage's name.</param>
/// <param name="Tokens">Ids read since the run began.</param>
/// <param name="Loss">What was minimised.</param>
/// <param name="Parts">What it is made of, unweighted: <c>cross_entropy</c>, <c>kl</c> (nats a prediction), <c>mixer.3</c>.</param>
/// <param name="LearningRate">Before the multipliers of groups.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="TokensPerSecond">Since the last line, evaluations and checkpoints not counted.</param>
/// <param name="ElapsedSeconds">Since the run began, pauses not counted.</param>
/// <param name="PeakBytes">The most bytes of the card in use so far, as its driver counts; 0 on a CPU.</param>
public sealed record StepMetrics(
    int Step, string Stage, long Tokens, double Loss, IReadOnlyDictionary<string, double> Parts, double LearningRate, double GradientNorm, double TokensPerSecond, double ElapsedSeconds, long PeakBytes);
