namespace T2R.Server.Api;

/// <summary>What is noted of a request: how much, not what. It is a feature of the request's context.</summary>
internal sealed class RequestRecord
{
    /// <summary>Ids of its prompts.</summary>
    public int PromptTokens { get; set; }

    /// <summary>Tokens generated for it, to the end or not.</summary>
    public int NewTokens { get; set; }

    /// <summary>What went wrong after the answer had begun.</summary>
    public Exception? LateFailure { get; set; }
}
