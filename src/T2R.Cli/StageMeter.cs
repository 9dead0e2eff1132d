namespace T2R.Cli;

/// <summary>Measures a stage as it reports: how fast, how long still.</summary>
internal sealed class StageMeter(TimeProvider clock)
{
    private StageProgress _first, _last;
    private long _began;

    /// <summary>Takes the next report; one of another stage begins anew.</summary>
    /// <returns>Whether it began a stage.</returns>
    public bool Take(StageProgress progress)
    {
        bool begins = progress.Stage != _last.Stage;
        if (begins)
        {
            _first = progress;
            _began = clock.GetTimestamp();
        }

        _last = progress;
        return begins;
    }

    public TimeSpan Elapsed => clock.GetElapsedTime(_began);

    public bool IsComplete => _last.Total > 0 && _last.Done >= _last.Total;

    public StageProgress Last => _last;

    /// <summary>"train: 12,000 of 100,000 tokens, 1,204 tokens/s, 1:13 left".</summary>
    public string Line => $"{_last.Stage}: {Amount}{Rate}{Left}";

    /// <summary>"1,204 tokens/s, 1:13 left".</summary>
    public string RateAndLeft => $"{Rate}{Left}".TrimStart(',', ' ');

    /// <summary>"train: 100,000 tokens in 1:23, 1,204 tokens/s".</summary>
    public string Summary => $"{_last.Stage}: {Quantity.Of(_last.Done, _last.Unit)} in {Quantity.Duration(Elapsed)}{Rate}";

    // What an interrupted run had done already counts for the amount, not for the speed.
    private double PerSecond => Elapsed.TotalSeconds > 0 ? (_last.Done - _first.Done) / Elapsed.TotalSeconds : 0;

    private string Amount => _last.Total > 0
        ? $"{Quantity.Of(_last.Done, _last.Unit).Replace($" {_last.Unit}", "", StringComparison.Ordinal)} of {Quantity.Of(_last.Total, _last.Unit)}"
        : Quantity.Of(_last.Done, _last.Unit);

    private string Rate => PerSecond > 0 ? $", {Quantity.Of(PerSecond, _last.Unit)}/s" : "";

    private string Left => PerSecond > 0 && _last.Total > _last.Done ? $", {Quantity.Duration(TimeSpan.FromSeconds((_last.Total - _last.Done) / PerSecond))} left" : "";
}
