namespace T2R.Tokenization;

/// <summary>
/// The part of <c>TrainerSpec</c> that decides how a model encodes and decodes, or documents how it was trained. Defaults are those of the format:
/// a field that a file lacks has this value.
/// </summary>
public sealed record SentencePieceTrainerSpec
{
    /// <summary><c>model_type</c>.</summary>
    public SentencePieceAlgorithm Algorithm { get; init; } = SentencePieceAlgorithm.Unigram;

    /// <summary><c>vocab_size</c>, as asked for in training; the number of pieces is what counts.</summary>
    public int VocabularySize { get; init; } = 8000;

    /// <summary><c>character_coverage</c>: the share of the corpus's characters that have a piece of their own.</summary>
    public float CharacterCoverage { get; init; } = 0.9995f;

    /// <summary><c>max_sentencepiece_length</c>, in characters.</summary>
    public int MaximumPieceLength { get; init; } = 16;

    /// <summary><c>split_by_unicode_script</c>: no trained piece mixes scripts.</summary>
    public bool SplitByUnicodeScript { get; init; } = true;

    /// <summary><c>split_by_number</c>: no trained piece mixes digits with other characters.</summary>
    public bool SplitByNumber { get; init; } = true;

    /// <summary><c>split_by_whitespace</c>: no trained piece crosses a space.</summary>
    public bool SplitByWhitespace { get; init; } = true;

    /// <summary><c>treat_whitespace_as_suffix</c>: the dummy space goes behind the text instead of before it.</summary>
    public bool TreatWhitespaceAsSuffix { get; init; }

    /// <summary><c>split_digits</c>: every digit is a piece of its own.</summary>
    public bool SplitDigits { get; init; }

    /// <summary><c>allow_whitespace_only_pieces</c>.</summary>
    public bool AllowWhitespaceOnlyPieces { get; init; }

    /// <summary><c>byte_fallback</c>: what has no piece is spelled in byte pieces.</summary>
    public bool ByteFallback { get; init; }

    /// <summary><c>unk_id</c>.</summary>
    public int UnknownId { get; init; }

    /// <summary><c>bos_id</c>, −1 for none.</summary>
    public int BeginningOfSentenceId { get; init; } = 1;

    /// <summary><c>eos_id</c>, −1 for none.</summary>
    public int EndOfSentenceId { get; init; } = 2;

    /// <summary><c>pad_id</c>, −1 for none.</summary>
    public int PadId { get; init; } = -1;

    /// <summary><c>unk_piece</c>.</summary>
    public string UnknownPiece { get; init; } = "<unk>";

    /// <summary><c>bos_piece</c>.</summary>
    public string BeginningOfSentencePiece { get; init; } = "<s>";

    /// <summary><c>eos_piece</c>.</summary>
    public string EndOfSentencePiece { get; init; } = "</s>";

    /// <summary><c>pad_piece</c>.</summary>
    public string PadPiece { get; init; } = "<pad>";

    /// <summary><c>unk_surface</c>: what the unknown piece decodes to.</summary>
    public string UnknownSurface { get; init; } = " \u2047 ";
}
