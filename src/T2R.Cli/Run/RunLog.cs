using System.Globalization;
using Serilog;
using Serilog.Core;
using T2R.Cli.Verbs;
using T2R.Interop;
using T2R.Models;
using T2R.Recipes;
using T2R.Training;

namespace T2R.Cli.Run;

/// <summary><c>run.log</c> in a run's folder: a line for each thing that happened, appended by every command that works there.</summary>
/// <param name="folder">The run's folder.</param>
internal sealed class RunLog(string folder) : ITrainingObserver, IDisposable
{
    public const string FileName = "run.log";

    private readonly Logger _log = new LoggerConfiguration()
        .WriteTo.File(
            Path.Combine(folder, FileName),
            outputTemplate: "{Timestamp:yyyy-MM-dd HH:mm:ss.fff zzz} {Level:u3} {Message:lj}{NewLine}{Exception}",
            formatProvider: CultureInfo.InvariantCulture,
            fileSizeLimitBytes: null)
        .CreateLogger();

    public void Began(RecipePlan plan, IReadOnlyList<string> overrides)
    {
        var torch = LibTorch.Report;
        _log.Information("t2r {Version:l}, libtorch {LibTorch:l} in {Folder:l}, {Dtype:l} on {Device:l}", VersionVerb.Program, torch.Version.ToString(), torch.Folder, DtypeName.Of(plan.Dtype), plan.Device.ToString());
        _log.Information("recipe {Recipe:l}, overrides {Overrides:l}", plan.Recipe.Name, overrides.Count == 0 ? "none" : string.Join(' ', overrides));
        foreach (string warning in plan.Warnings)
        {
            Warned(warning);
        }
    }

    /// <inheritdoc/>
    public void Stepped(StepMetrics metrics) => _log.Information(
        "step {Step} [{Stage:l}] tokens {Tokens} loss {Loss:F4} lr {LearningRate:G3} |g| {GradientNorm:F3} {TokensPerSecond:F0} tokens/s",
        metrics.Step,
        metrics.Stage,
        metrics.Tokens,
        metrics.Loss,
        metrics.LearningRate,
        metrics.GradientNorm,
        metrics.TokensPerSecond);

    /// <inheritdoc/>
    public void Evaluated(EvaluationMetrics metrics) =>
        _log.Information("step {Step} held-out loss {Loss:F4} perplexity {Perplexity:F3} over {Predictions} predictions", metrics.Step, metrics.EvaluationLoss, metrics.Perplexity, metrics.Predictions);

    /// <inheritdoc/>
    public void Warned(string sentence) => _log.Warning("{Sentence:l}", sentence);

    public void Measured(ReportRow row, int windows) => _log.Information("{Model:l}: perplexity {Perplexity:F3} over {Windows} windows", row.Model, row.Perplexity, windows);

    public void Ended() => _log.Information("done");

    public void Failed(Exception exception)
    {
        switch (exception)
        {
            case OperationCanceledException:
                _log.Information("stopped");
                break;
            case UserErrorException user:
                foreach (string problem in user.Problems)
                {
                    _log.Error("{Problem:l}", problem);
                }

                break;
            case RunOutOfMemoryException:
                _log.Error("{Message:l}", exception.Message);
                break;
            default:
                _log.Error(exception, "failed");
                break;
        }
    }

    public void Dispose() => _log.Dispose();
}
