namespace T2R.Cli;

/// <summary>
/// Shows on standard error how far the work is, once a stage has taken two seconds: a bar in a terminal, elsewhere a line every five seconds; and one
/// line when the stage is done. Reports come from any thread.
/// </summary>
internal sealed class ProgressReporter : IProgress<StageProgress>, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2), BetweenLines = TimeSpan.FromSeconds(5), Silence = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly TimeProvider _clock;
    private readonly StageMeter _meter;
    private readonly Action<string> _write;
    private readonly bool _interactive;
    private ProgressBar? _bar;
    private TimeSpan _nextLine;
    private (string Stage, long At)? _told;
    private bool _summarized;

    public ProgressReporter()
        : this(TimeProvider.System, Screen.Note, Screen.IsInteractive)
    {
    }

    internal ProgressReporter(TimeProvider clock, Action<string> write, bool interactive)
    {
        _clock = clock;
        _meter = new StageMeter(clock);
        _write = write;
        _interactive = interactive;
    }

    /// <inheritdoc/>
    public void Report(StageProgress value)
    {
        lock (_gate)
        {
            if (_meter.Last.Stage is not null && value.Stage != _meter.Last.Stage)
            {
                EndStage();
            }

            if (_meter.Take(value))
            {
                _nextLine = Patience;
                _summarized = false;
            }

            if (_meter.IsComplete)
            {
                EndStage();
            }
            else if (_meter.Elapsed >= _nextLine)
            {
                Show();
            }
        }
    }

    /// <summary>Someone else has written a line about how far a stage is: plain lines about it appear only after half a minute of silence, and none at its end.</summary>
    public void Told(string stage)
    {
        lock (_gate)
        {
            _told = (stage, _clock.GetTimestamp());
        }
    }

    /// <summary>Takes the bar away and says how the last stage went.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            EndStage();
        }
    }

    private bool IsTold => _told is { } told && told.Stage == _meter.Last.Stage;

    private void Show()
    {
        if (_interactive)
        {
            _bar ??= new ProgressBar(_meter.Last.Stage);
            _bar.Show(_meter);
        }
        else if (!IsTold)
        {
            _write(_meter.Line);
            _nextLine = _meter.Elapsed + BetweenLines;
        }
        else if (_clock.GetElapsedTime(_told!.Value.At) >= Silence)
        {
            _write(_meter.Line);
            _told = (_meter.Last.Stage, _clock.GetTimestamp());
        }
    }

    private void EndStage()
    {
        _bar?.Dispose();
        _bar = null;
        if (!_summarized && !IsTold && _meter.Elapsed >= Patience && _meter.Last.Stage is not null)
        {
            _write(_meter.Summary);
        }

        _summarized = true;
    }
}
