using T2R.Training;

namespace T2R.Cli.Run;

/// <summary>Says on the screen what the metrics say, as lines between the progress.</summary>
internal sealed class TrainingView : ITrainingObserver
{
    /// <inheritdoc/>
    public void Stepped(StepMetrics metrics) => Screen.Note(
        $"step {metrics.Step:N0} [{metrics.Stage}] loss {metrics.Loss:F4}, lr {metrics.LearningRate:G3}, |g| {metrics.GradientNorm:F2}, {metrics.TokensPerSecond:N0} tokens/s");

    /// <inheritdoc/>
    public void Evaluated(EvaluationMetrics metrics) => Screen.Note($"step {metrics.Step:N0}: held-out perplexity {metrics.Perplexity:F2}");

    /// <inheritdoc/>
    public void Warned(string sentence) => Screen.Warn(sentence);
}
