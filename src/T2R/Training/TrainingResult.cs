namespace T2R.Training;

/// <summary>What a finished run leaves.</summary>
/// <param name="Steps">Steps done.</param>
/// <param name="Tokens">Ids read.</param>
/// <param name="ElapsedSeconds">Time spent, pauses not counted.</param>
/// <param name="Evaluation">The last evaluation; null without held-out text.</param>
/// <param name="Checkpoint">The folder that holds the final weights in T2R's names; null when no checkpoints are kept.</param>
/// <param name="PlannedBytes">What the memory plan said.</param>
/// <param name="PeakBytes">The most bytes of the card that were in use, as its driver counts; looked at in every block. 0 on a CPU.</param>
public sealed record TrainingResult(
    int Steps, long Tokens, double ElapsedSeconds, EvaluationMetrics? Evaluation, string? Checkpoint, long PlannedBytes, long PeakBytes);
