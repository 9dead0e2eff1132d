namespace T2R.Generation.Serving;

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary>The end-of-text token was chosen, or a stop string came.</summary>
    Stop,

    /// <summary>There are as many new tokens as were allowed.</summary>
    Length,

    /// <summary>It was cancelled, its reader went away, or the engine was stopped.</summary>
    Cancelled,
}
