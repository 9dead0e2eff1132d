namespace T2R.Data;

/// <summary>Tells where a text, of which more may follow, can be cut so that both parts can be tokenized apart.</summary>
/// <param name="text">The text.</param>
/// <returns>How long the first part may be at most; 0 when the text cannot be cut.</returns>
public delegate int TextCut(ReadOnlySpan<char> text);
