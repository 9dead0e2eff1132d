namespace T2R.Tokenization;

/// <summary>What an id of a vocabulary stands for.</summary>
/// <param name="Kind">What it is for.</param>
/// <param name="Name">What the tokenizer's file calls it, such as <c>▁the</c>, <c>&lt;0x0A&gt;</c> or <c>&lt;s&gt;</c>.</param>
/// <param name="Utf8">What it spells in the middle of a text; empty for <see cref="TokenKind.Control"/>.</param>
public readonly record struct Token(TokenKind Kind, string Name, ReadOnlyMemory<byte> Utf8);
