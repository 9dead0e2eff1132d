using static TorchSharp.torch.utils;

namespace T2R.Training;

/// <summary>The metrics as TensorBoard event files in <c>tensorboard/</c>; each session of a run adds one.</summary>
internal sealed class TensorBoardLog(string folder) : ITrainingObserver
{
    private readonly TorchSharp.Modules.SummaryWriter _writer = tensorboard.SummaryWriter(folder, createRunName: false);

    /// <inheritdoc />
    public void Stepped(StepMetrics metrics)
    {
        Add("train/loss", metrics.Loss, metrics.Step);
        foreach (var (name, value) in metrics.Parts)
        {
            Add($"train/{name}", value, metrics.Step);
        }

        Add("train/learning_rate", metrics.LearningRate, metrics.Step);
        Add("train/gradient_norm", metrics.GradientNorm, metrics.Step);
        Add("train/tokens_per_second", metrics.TokensPerSecond, metrics.Step);
    }

    /// <inheritdoc />
    public void Evaluated(EvaluationMetrics metrics)
    {
        Add("validation/loss", metrics.EvaluationLoss, metrics.Step);
        Add("validation/perplexity", metrics.Perplexity, metrics.Step);
    }

    /// <inheritdoc />
    public void Warned(string sentence)
    {
        // Not a curve.
    }

    private void Add(string tag, double value, int step) => _writer.add_scalar(tag, (float)value, step, DateTimeOffset.UtcNow.ToUnixTimeSeconds());
}
