namespace T2R.Server.Prompts;

/// <summary>A part of a prompt: one id, or a text as its pieces are cut from it (U+2581 for spaces, with the space that the tokenizer puts before a text).</summary>
/// <param name="Id">The id, if <paramref name="Text"/> is null.</param>
/// <param name="Text">The text; null for an id.</param>
internal readonly record struct PromptPart(int Id, string? Text);
