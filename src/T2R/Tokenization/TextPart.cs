namespace T2R.Tokenization;

/// <summary>A part of a text that is encoded apart from the others: one id, or a text as its tokens are cut from it (normalized).</summary>
/// <param name="Id">The id, if <paramref name="Text"/> is null.</param>
/// <param name="Text">The text; null for an id.</param>
public readonly record struct TextPart(int Id, string? Text);
