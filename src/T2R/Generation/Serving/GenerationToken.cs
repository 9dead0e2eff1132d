namespace T2R.Generation.Serving;

/// <summary>A token of what is generated.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">
/// What it adds to the text; all tokens' texts joined are the text. Empty for a control piece and for a part of a character, whose text comes with its last part.
/// </param>
/// <param name="IsPrompt">Whether it is one of the prompt's.</param>
/// <param name="LogProbability">Natural logarithm of its probability; null if that was not asked for, and for the first token of a sequence, which nothing precedes.</param>
/// <param name="Likeliest">The likeliest tokens in its place, likeliest first; as many as were asked for. It need not be among them.</param>
public sealed record GenerationToken(int Id, string Text, bool IsPrompt = false, double? LogProbability = null, IReadOnlyList<LikelyToken>? Likeliest = null);
