using T2R.Tokenization;

namespace T2R.Tests.Tokenization;

/// <summary>Small models made on the spot.</summary>
internal static class TinyModels
{
    public static readonly SentencePieceNormalizerSpec Identity = new() { Name = "identity", RemoveExtraWhitespaces = false };

    /// <summary>Merges in the order of their scores, then the characters; some characters have no piece of their own.</summary>
    public static readonly string[] English =
    [
        "▁t", "he", "▁a", "in", "▁the", "▁▁", "▁▁▁▁", "ll", "--", "----", "ab", "bc", "abc", "e.", "xx", "xxx", "é!", "😀😀", "▁in", "lll",
        "▁", "e", "t", "h", "a", "i", "n", "l", "-", "b", "c", "x", ".",
    ];

    /// <summary>What texts that are hard to cut are made of.</summary>
    public static readonly string[] Atoms =
    [
        " ", "  ", "   ", "▁", "▁▁", "a", "b", "c", "ab", "bc", "abc", "x", "xx", "xxxx", "-", "--", "-----", "\n", "\r\n", "\t", "\0", "\u0001",
        "😀", "😀😀", "é", "é!", "e.", "the", "The", " the", "in", " in", "l", "lll", "<s>", "</s>", "<unk>", "<0x41>", "<u>", "ab c", "aa", "zz",
        "漢", "字", "\u200a", "\u0301", "1", "23", "\ufffd", "\ud83d", "\ude00",
    ];

    public static SentencePieceTrainerSpec Bpe { get; } =
        new() { Algorithm = SentencePieceAlgorithm.Bpe, ByteFallback = true, SplitDigits = true };

    public static SentencePieceModel Of(
        IEnumerable<SentencePiece> more, SentencePieceTrainerSpec? trainer = null, SentencePieceNormalizerSpec? normalizer = null)
    {
        trainer ??= Bpe;
        List<SentencePiece> pieces =
        [
            new("<unk>", 0, SentencePieceType.Unknown), new("<s>", 0, SentencePieceType.Control), new("</s>", 0, SentencePieceType.Control),
        ];
        if (trainer.ByteFallback)
        {
            pieces.AddRange(Enumerable.Range(0, 256).Select(i => new SentencePiece($"<0x{i:X2}>", 0, SentencePieceType.Byte)));
        }

        pieces.AddRange(more);
        return new SentencePieceModel(pieces, trainer, normalizer ?? Identity, "tiny.model");
    }

    public static IEnumerable<SentencePiece> Ranked(IEnumerable<string> pieces) =>
        pieces.Select((text, i) => new SentencePiece(text, -i, SentencePieceType.Normal));

    public static SentencePieceTokenizer Tokenizer(
        IEnumerable<SentencePiece> more, SentencePieceTrainerSpec? trainer = null, SentencePieceNormalizerSpec? normalizer = null) =>
        new(Of(more, trainer, normalizer));

    public static string[] Pieces(this SentencePieceTokenizer tokenizer, string text) =>
        [.. tokenizer.EncodeToIds(text).Select(id => tokenizer.Model.Pieces[id].Text)];
}
