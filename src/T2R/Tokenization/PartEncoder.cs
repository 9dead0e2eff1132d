namespace T2R.Tokenization;

/// <summary>
/// Encodes a long text part by part, with the ids that it would get as a whole: where no piece has two characters as neighbours no merge crosses, and a normalizer that
/// changes single characters alone knows nothing of what is before.
/// </summary>
internal sealed class PartEncoder
{
    private readonly BpeVocabulary _vocabulary;
    private readonly BpeEncoder _encoder;
    private readonly SentencePieceNormalizer _normalizer;
    private readonly char _space;
    private readonly int _lead;

    /// <summary>Makes an encoder of a model that is <see cref="Suited"/>.</summary>
    public PartEncoder(SentencePieceModel model)
    {
        _vocabulary = new BpeVocabulary(model);
        _encoder = new BpeEncoder(_vocabulary);
        _normalizer = new SentencePieceNormalizer(model, _vocabulary.UserDefined);
        _space = model.Normalizer.EscapeWhitespaces ? SentencePieceNormalizer.EscapedSpace : ' ';
        _lead = model.Normalizer.AddDummyPrefix ? 1 : 0;
    }

    /// <summary>
    /// Whether what a model makes of a text can be made of its parts. Without byte fallback, neighbours that are unknown become one; spaces that are removed, or put at the
    /// end, depend on what is beside them; an unused piece is taken apart as it was last proposed anywhere.
    /// </summary>
    public static bool Suited(SentencePieceModel model) =>
        model.Trainer.ByteFallback && !model.Normalizer.RemoveExtraWhitespaces && !model.Trainer.TreatWhitespaceAsSuffix
        && !model.Pieces.Any(piece => piece.Type is SentencePieceType.Unused or SentencePieceType.UserDefined);

    /// <summary>The last place where a text can be cut; 0 when there is none.</summary>
    public int LastCut(ReadOnlySpan<char> text)
    {
        Span<char> pair = stackalloc char[2];
        for (int i = text.Length - 1; i > 0; i--)
        {
            text.Slice(i - 1, 2).Replace(pair, ' ', _space);
            if (_vocabulary.Adjacency.FirstCut(pair) == 1)
            {
                return i;
            }
        }

        return 0;
    }

    /// <summary>Appends the ids of a part.</summary>
    /// <param name="text">The part, without lone surrogates.</param>
    /// <param name="isFirst">Whether the text begins with it.</param>
    /// <param name="ids">Receives the ids.</param>
    public void AppendIds(ReadOnlySpan<char> text, bool isFirst, List<int> ids)
    {
        char[] buffer = new char[text.Length + 1];
        int length = _normalizer.Normalize(text, buffer);
        _encoder.AppendIds(buffer.AsSpan(0, length)[(isFirst ? 0 : _lead)..], ids);
    }
}
