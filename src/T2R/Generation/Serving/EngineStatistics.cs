namespace T2R.Generation.Serving;

/// <summary>What an engine does and has done since it began, at one moment.</summary>
public sealed record EngineStatistics
{
    /// <summary>Sequences that have a slot.</summary>
    public required int Active { get; init; }

    /// <summary>Requests that wait for one.</summary>
    public required int Waiting { get; init; }

    /// <summary>Bytes of the active sequences' states.</summary>
    public required long StateBytes { get; init; }

    /// <summary>Prompt ids read.</summary>
    public required long PromptTokens { get; init; }

    /// <summary>Tokens chosen.</summary>
    public required long NewTokens { get; init; }

    /// <summary>Pieces of prompts read.</summary>
    public required long Prefills { get; init; }

    /// <summary>Steps of all sequences that were ready.</summary>
    public required long Steps { get; init; }

    /// <summary>Time in the decoder.</summary>
    public required TimeSpan Busy { get; init; }

    /// <summary>Requests that ended by themselves.</summary>
    public required long Finished { get; init; }

    /// <summary>Requests that were cancelled.</summary>
    public required long Cancelled { get; init; }

    /// <summary>Requests that the decoder failed.</summary>
    public required long Failed { get; init; }

    /// <summary>Requests that found the queue full.</summary>
    public required long Rejected { get; init; }
}
