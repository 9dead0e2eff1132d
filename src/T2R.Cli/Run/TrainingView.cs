using T2R.Training;
using T2R.Training.Memory;

namespace T2R.Cli.Run;

/// <summary>Says on the screen what the metrics say, as lines between the progress.</summary>
/// <param name="options">The training.</param>
/// <param name="progress">Need not say what a step's line has just said.</param>
internal sealed class TrainingView(TrainingOptions options, ProgressReporter progress) : ITrainingObserver
{
    /// <inheritdoc/>
    public void Stepped(StepMetrics metrics)
    {
        double left = (options.Steps - metrics.Step) * options.TokensPerStep / metrics.TokensPerSecond;
        string stage = options.Stages.Length > 1 ? $" [{metrics.Stage}]" : "";
        Say($"step {metrics.Step:N0} of {options.Steps:N0}{stage}: loss {metrics.Loss:F4}, lr {metrics.LearningRate:G3}, |g| {metrics.GradientNorm:F2}, "
            + $"{metrics.TokensPerSecond:N0} tokens/s{(left > 0 ? $", {Quantity.Duration(TimeSpan.FromSeconds(left))} left" : "")}"
            + $"{(metrics.PeakBytes > 0 ? $", {MemoryPart.Text(metrics.PeakBytes)}" : "")}");
    }

    /// <inheritdoc/>
    public void Evaluated(EvaluationMetrics metrics) => Say($"step {metrics.Step:N0}: held-out perplexity {metrics.Perplexity:F2} over {Quantity.Windows(metrics.Predictions / (options.WindowLength - 1))}");

    /// <inheritdoc/>
    public void Warned(string sentence) => Screen.Warn(sentence);

    private void Say(string line)
    {
        Screen.Note(line);
        progress.Told(Trainer.Stage);
    }
}
