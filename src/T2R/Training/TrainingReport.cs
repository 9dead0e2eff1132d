using System.Diagnostics;

namespace T2R.Training;

/// <summary>Tells observers and progress of a run, with times.</summary>
internal sealed class TrainingReport : IDisposable
{
    private readonly Stopwatch _session = Stopwatch.StartNew();
    private readonly Stopwatch _busy = new();
    private readonly TrainingOptions _options;
    private readonly IProgress<StageProgress>? _progress;
    private readonly MetricsFile _metrics;
    private readonly List<ITrainingObserver> _observers;
    private readonly double _earlierSeconds;
    private int _busySteps;

    public TrainingReport(TrainingOptions options, RunFolder folder, TrainingState state, IEnumerable<ITrainingObserver> observers, IProgress<StageProgress>? progress)
    {
        (_options, _progress, _earlierSeconds) = (options, progress, state.ElapsedSeconds);
        _metrics = new MetricsFile(folder.MetricsPath, state.Step);
        _observers = [_metrics, new TensorBoardLog(folder.TensorBoardPath), .. observers];
    }

    /// <summary>Time spent on the run, earlier sessions included.</summary>
    public double ElapsedSeconds => _earlierSeconds + _session.Elapsed.TotalSeconds;

    /// <summary>Begins the clock of a step.</summary>
    public void StepBegins() => _busy.Start();

    /// <summary>Ends it, and tells of the step if it is one to be told of.</summary>
    public void StepEnds(TrainingState state, double loss, IReadOnlyDictionary<string, double> parts, double learningRate, double gradientNorm, long peakBytes)
    {
        _busy.Stop();
        _busySteps++;
        if (state.Step % _options.LogEvery == 0 || state.Step == _options.Steps)
        {
            Tell(state, loss, parts, learningRate, gradientNorm, peakBytes);
        }

        _progress?.Report(new StageProgress(Trainer.Stage, state.Tokens, _options.TokensPerStep * _options.Steps, "tokens"));
    }

    public void Evaluated(EvaluationMetrics metrics) => _observers.ForEach(o => o.Evaluated(metrics));

    public void Warned(string sentence) => _observers.ForEach(o => o.Warned(sentence));

    public void Dispose() => _metrics.Dispose();

    private void Tell(TrainingState state, double loss, IReadOnlyDictionary<string, double> parts, double learningRate, double gradientNorm, long peakBytes)
    {
        double rate = _busySteps * _options.TokensPerStep / Math.Max(_busy.Elapsed.TotalSeconds, 1e-9);
        var metrics = new StepMetrics(state.Step, state.Stage, state.Tokens, loss, parts, learningRate, gradientNorm, Math.Round(rate, 1), Math.Round(ElapsedSeconds, 3), peakBytes);
        _observers.ForEach(o => o.Stepped(metrics));
        _busy.Reset();
        _busySteps = 0;
    }
}
