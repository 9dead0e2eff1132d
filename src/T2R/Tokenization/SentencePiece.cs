namespace T2R.Tokenization;

/// <summary>One entry of the vocabulary; its place in the list is its id.</summary>
/// <param name="Text">The text, with U+2581 for a space; never empty.</param>
/// <param name="Score">In a BPE model, merges of a higher score come first.</param>
/// <param name="Type">What it is for.</param>
public readonly record struct SentencePiece(string Text, float Score, SentencePieceType Type);
