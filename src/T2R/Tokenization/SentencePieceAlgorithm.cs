namespace T2R.Tokenization;

/// <summary>How a SentencePiece model segments, with the numbers of <c>TrainerSpec.ModelType</c>.</summary>
public enum SentencePieceAlgorithm
{
    /// <summary>The most probable segmentation under a unigram model.</summary>
    Unigram = 1,

    /// <summary>Byte-pair encoding; the only one supported.</summary>
    Bpe = 2,

    /// <summary>Whole words.</summary>
    Word = 3,

    /// <summary>Single characters.</summary>
    Character = 4,
}
