namespace T2R.Generation.Serving;

/// <summary>What an engine does and has done since it began, at one moment.</summary>
public sealed record EngineStatistics
{
    /// <summary>Sequences that have a slot.</summary>
    public int Active { get; init; }

    /// <summary>Requests that wait for one.</summary>
    public int Waiting { get; init; }

    /// <summary>Bytes of the active sequences' states.</summary>
    public long StateBytes { get; init; }

    /// <summary>Prompt ids read.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Tokens chosen.</summary>
    public long NewTokens { get; init; }

    /// <summary>Pieces of prompts read at once.</summary>
    public long Prefills { get; init; }

    /// <summary>Steps, each of one token in every sequence that was ready.</summary>
    public long Steps { get; init; }

    /// <summary>Time spent on sequences rather than waiting for some.</summary>
    public TimeSpan Busy { get; init; }

    /// <summary>Requests that ended by themselves.</summary>
    public long Finished { get; init; }

    /// <summary>Requests that were cancelled.</summary>
    public long Cancelled { get; init; }

    /// <summary>Requests that the decoder failed.</summary>
    public long Failed { get; init; }

    /// <summary>Requests that found the queue full.</summary>
    public long Rejected { get; init; }
}
