namespace T2R.Tokenization;

/// <summary>
/// Trains a SentencePiece BPE model as Llama's and Mistral's are made: byte fallback, no rewriting of characters, a dummy space before the text, every
/// digit by itself, no piece across a space except runs of spaces. Merges are chosen as SentencePiece's trainer chooses them: the most frequent pair, of
/// equals the shorter, of those the first in ordinal order. The same documents in the same order give the same file.
/// </summary>
/// <remarks>
/// A line feed or a tab is in no piece, as in Llama's vocabulary, and is encoded as its byte piece: one id, at which every piece ends. SentencePiece's
/// trainer would cut documents into lines and put a dummy space before each; here a document is seen as encoding sees it, with one dummy space.
/// </remarks>
public sealed class BytePairTrainer
{
    private const int SpecialCount = 3 + 256;

    /// <summary>How many pieces the model shall have: three special ones, 256 bytes, the merges and the characters.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The share of the text's characters that get a piece of their own, the most frequent first; the rest is spelled in bytes.</summary>
    public float CharacterCoverage { get; init; } = 0.9995f;

    /// <summary>The longest piece, in characters.</summary>
    public int MaximumPieceLength { get; init; } = 16;

    /// <summary>Trains.</summary>
    /// <param name="documents">Read once, in order; their words are counted, the documents not kept.</param>
    /// <param name="progress">Told of documents counted and of pieces found.</param>
    /// <param name="stop">Ends the training.</param>
    /// <returns>A model of exactly <see cref="VocabularySize"/> pieces.</returns>
    /// <exception cref="UserErrorException">The text has too many characters or too few words for that size.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public SentencePieceModel Train(IEnumerable<string> documents, IProgress<StageProgress>? progress = null, CancellationToken stop = default)
    {
        if (CharacterCoverage is not (> 0 and <= 1))
        {
            throw new UserErrorException($"a character coverage of {CharacterCoverage} makes no sense; a number above 0 and up to 1 was expected, such as 0.9995.");
        }

        List<SentencePiece> pieces = SpecialPieces();
        WordCounts words = Count(documents, progress, stop);
        var alphabet = TrainingAlphabet.Of(words, CharacterCoverage);
        int merges = VocabularySize - pieces.Count - alphabet.Characters.Count;
        if (merges < 0)
        {
            throw new UserErrorException(
                $"a vocabulary of {VocabularySize} is too small: {pieces.Count} special pieces and {alphabet.Characters.Count} characters need "
                + $"{pieces.Count + alphabet.Characters.Count}; ask for more, or for less character coverage than {CharacterCoverage}.");
        }

        var rules = new PieceRules(pieces.Select(piece => piece.Text), MaximumPieceLength);
        IReadOnlyList<string> found = new PairMerging(words, alphabet, rules).Run(merges, progress, stop);
        if (found.Count < merges)
        {
            throw new UserErrorException(
                $"a vocabulary of {VocabularySize} is too large: this text yields {VocabularySize - merges + found.Count} pieces; ask for at most that, or give more text.");
        }

        foreach (string text in found.Concat(alphabet.Characters.Select(character => character.ToString())))
        {
            pieces.Add(new SentencePiece(text, SpecialCount - pieces.Count, SentencePieceType.Normal));
        }

        return new SentencePieceModel(pieces, Spec(), new SentencePieceNormalizerSpec { Name = "identity", RemoveExtraWhitespaces = false }, "the trained model");
    }

    private static List<SentencePiece> SpecialPieces() =>
    [
        new("<unk>", 0, SentencePieceType.Unknown),
        new("<s>", 0, SentencePieceType.Control),
        new("</s>", 0, SentencePieceType.Control),
        .. Enumerable.Range(0, 256).Select(value => new SentencePiece(BytePiece.Spell((byte)value), 0, SentencePieceType.Byte)),
    ];

    private static WordCounts Count(IEnumerable<string> documents, IProgress<StageProgress>? progress, CancellationToken stop)
    {
        var words = new WordCounts();
        int count = 0;
        foreach (string document in documents)
        {
            stop.ThrowIfCancellationRequested();
            words.Add(document);
            if (++count % 256 == 0)
            {
                progress?.Report(new StageProgress("count words", count, 0, "documents"));
            }
        }

        return words;
    }

    private SentencePieceTrainerSpec Spec() => new()
    {
        Algorithm = SentencePieceAlgorithm.Bpe,
        VocabularySize = VocabularySize,
        CharacterCoverage = CharacterCoverage,
        MaximumPieceLength = MaximumPieceLength,
        SplitDigits = true,
        AllowWhitespaceOnlyPieces = true,
        ByteFallback = true,
    };
}
