namespace T2R.Generation.Serving;

/// <summary>What a generation came to.</summary>
/// <param name="FinishReason">Why it ended.</param>
/// <param name="PromptTokens">Ids of the prompt.</param>
/// <param name="NewTokens">Tokens that were chosen, those of a stop string included, the end-of-text token not.</param>
/// <param name="Waited">From the request to its slot.</param>
/// <param name="ToFirstToken">From its slot to the first new token, or to the end if there is none: reading the prompt.</param>
/// <param name="AfterFirstToken">From there to the end.</param>
/// <param name="Unsaid">Ids that were chosen and are none of the tokens: the end-of-text id, or those of a stop string. The state remembers them too.</param>
/// <param name="State">What to go on with; null unless it was asked for and the sequence had a slot.</param>
public sealed record GenerationResult(
    FinishReason FinishReason, int PromptTokens, int NewTokens, TimeSpan Waited, TimeSpan ToFirstToken, TimeSpan AfterFirstToken, IReadOnlyList<int> Unsaid, SequenceState? State = null);
