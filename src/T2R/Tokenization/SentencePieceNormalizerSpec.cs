namespace T2R.Tokenization;

/// <summary><c>NormalizerSpec</c>: what happens to a text before merging. Defaults are those of the format.</summary>
public sealed record SentencePieceNormalizerSpec
{
    /// <summary><c>name</c>: <c>identity</c> for Llama and Mistral.</summary>
    public string Name { get; init; } = "";

    /// <summary><c>precompiled_charsmap</c>: rewriting rules; a model with any is refused.</summary>
    public ReadOnlyMemory<byte> PrecompiledCharsMap { get; init; }

    /// <summary><c>add_dummy_prefix</c>: a space before the text, so that its first word is a word like any other.</summary>
    public bool AddDummyPrefix { get; init; } = true;

    /// <summary><c>remove_extra_whitespaces</c>: leading, trailing and repeated spaces go.</summary>
    public bool RemoveExtraWhitespaces { get; init; } = true;

    /// <summary><c>escape_whitespaces</c>: spaces become U+2581.</summary>
    public bool EscapeWhitespaces { get; init; } = true;
}
