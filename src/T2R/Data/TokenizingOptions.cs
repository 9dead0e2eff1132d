namespace T2R.Data;

/// <summary>How a corpus is tokenized. Nothing here changes an id.</summary>
public sealed record TokenizingOptions
{
    /// <summary>How many damaged records (lines, rows, row groups, files of text) may be passed over; one more is an error.</summary>
    public long DamagedLimit { get; init; }

    /// <summary>Hears of each damaged record that is passed over.</summary>
    public Action<string>? Warn { get; init; }

    /// <summary>Hears of the bytes of source files done.</summary>
    public IProgress<StageProgress>? Progress { get; init; }

    /// <summary>How many threads tokenize; as many as there are cores if null.</summary>
    public int? Threads { get; init; }

    /// <summary>Stops the work.</summary>
    public CancellationToken Cancellation { get; init; }
}
