using System.Text.Json.Serialization;

namespace T2R.Server.Api;

/// <summary>What a request took, in tokens.</summary>
/// <param name="PromptTokens">Ids of the prompts, those that a session had read already included.</param>
/// <param name="CompletionTokens">New tokens of all choices.</param>
/// <param name="PromptTokensDetails">What needed no reading; null without a session.</param>
internal sealed record Usage(
    int PromptTokens,
    int CompletionTokens,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] UsageDetails? PromptTokensDetails)
{
    public int TotalTokens => PromptTokens + CompletionTokens;
}

/// <summary>What of a prompt needed no reading.</summary>
/// <param name="CachedTokens">Ids that the session had read, or chosen, before.</param>
internal sealed record UsageDetails(int CachedTokens);
