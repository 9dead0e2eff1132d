using CsCheck;
using T2R.Tests.Checkpoints;
using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Tokenization;

public sealed class SentencePieceModelTests
{
    private static readonly SentencePieceModel Tiny = TinyModels.Of(
        [.. TinyModels.Ranked(TinyModels.English), new("<u>", 0.5f, SentencePieceType.UserDefined), new("old", -3, SentencePieceType.Unused)],
        TinyModels.Bpe with { PadId = -1, UnknownSurface = " ? ", CharacterCoverage = 0.99f, SplitByNumber = false });

    [Fact]
    public void What_is_written_is_read_back()
    {
        using var folder = new TemporaryFolder();
        Tiny.Save(folder["tokenizer.model"]);
        SentencePieceModel again = SentencePieceModel.Load(folder["tokenizer.model"]);
        Assert.Equal(Tiny.Pieces, again.Pieces);
        Assert.Equal(Tiny.Trainer, again.Trainer);
        Assert.Equal(Tiny.Normalizer with { PrecompiledCharsMap = default }, again.Normalizer with { PrecompiledCharsMap = default });
        Assert.Equal(Tiny.ToBytes(), again.ToBytes());
        Assert.Equal(["tokenizer.model"], folder.Names);
    }

    [Fact]
    public void Damaged_files_are_refused_or_read_never_worse()
    {
        byte[] whole = Tiny.ToBytes();
        int refused = 0;
        Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte, Gen.Int[0, whole.Length]).Array[1, 4].Sample(
            changes =>
            {
                byte[] bytes = [.. whole];
                foreach ((int at, byte value, int length) in changes)
                {
                    bytes[Math.Min(at, bytes.Length - 1)] = value;
                    bytes = (value & 3) == 0 && length > 0 && length < bytes.Length ? bytes[..length] : bytes;
                }

                try
                {
                    new SentencePieceTokenizer(SentencePieceModel.Parse(bytes, "damaged.model")).EncodeToIds("the <u> abc😀");
                }
                catch (UserErrorException e)
                {
                    Assert.All(e.Problems, problem => Assert.StartsWith("damaged.model: ", problem));
                    Interlocked.Increment(ref refused);
                }
            },
            iter: 5000);
        Assert.NotEqual(0, refused);
    }

    [Theory]
    [InlineData(SentencePieceAlgorithm.Unigram, "UNIGRAM")]
    [InlineData(SentencePieceAlgorithm.Word, "WORD")]
    [InlineData(SentencePieceAlgorithm.Character, "CHAR")]
    public void Other_algorithms_are_refused_by_name(SentencePieceAlgorithm algorithm, string name) =>
        AssertRefused($"model_type is {name}; only BPE", Tiny.Pieces, TinyModels.Bpe with { Algorithm = algorithm });

    [Fact]
    public void Rewriting_rules_are_refused_by_name()
    {
        var error = Assert.Throws<UserErrorException>(
            () => new SentencePieceModel(Tiny.Pieces, Tiny.Trainer, new() { Name = "nmt_nfkc", PrecompiledCharsMap = new byte[9] }, "some.model"));
        Assert.Equal(
            ["some.model: normalizer 'nmt_nfkc' has a precompiled_charsmap of 9 bytes; only models that leave characters as they are (identity, as Llama's and Mistral's) are supported."],
            error.Problems);
    }

    [Fact]
    public void Every_inconsistency_is_named()
    {
        AssertRefused("piece 4 repeats 'a', which is piece 3", [.. Start, Normal("a"), Normal("a")], NoBytes);
        AssertRefused("piece 3 has no text", [.. Start, Normal("")], NoBytes);
        AssertRefused("piece 3 'a' has score NaN", [.. Start, Normal("a") with { Score = float.NaN }], NoBytes);
        AssertRefused("piece 3 'a' has type 9", [.. Start, Normal("a") with { Type = (SentencePieceType)9 }], NoBytes);
        AssertRefused("piece 3 is a byte but is spelled '<0x0a>'", [.. Start, new("<0x0a>", 0, SentencePieceType.Byte)], TinyModels.Bpe);
        AssertRefused("255 of the 256 byte pieces are missing", [.. Start, new("<0x0A>", 0, SentencePieceType.Byte)], TinyModels.Bpe);
        AssertRefused("1 byte pieces though byte_fallback is off", [.. Start, new("<0x0A>", 0, SentencePieceType.Byte)], NoBytes);
        AssertRefused("0 pieces of type unknown", [.. Start.Skip(1)], NoBytes);
        AssertRefused("holds no pieces", [], NoBytes);
    }

    [Fact]
    public void Something_else_is_not_taken_for_a_model()
    {
        Assert.Throws<UserErrorException>(() => SentencePieceModel.Parse([], "some.model"));
        Assert.Throws<UserErrorException>(() => SentencePieceModel.Parse("{\"version\": \"1.0\"}"u8.ToArray(), "some.model"));
        Assert.Throws<UserErrorException>(() => SentencePieceModel.Load("/nowhere/tokenizer.model"));
    }

    [Fact]
    public void A_folder_says_what_it_lacks()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("no tokenizer", Assert.Throws<UserErrorException>(() => TokenizerFolder.Open(folder.Path)).Message);
        File.WriteAllText(folder["tokenizer.json"], "{}");
        Assert.Contains("model is missing", Assert.Throws<UserErrorException>(() => TokenizerFolder.Open(folder.Path)).Message);
        Tiny.Save(folder["tokenizer.model"]);
        Assert.Equal(Tiny.Pieces.Count, TokenizerFolder.Open(folder.Path).VocabularySize);
        Assert.Contains("no such folder", Assert.Throws<UserErrorException>(() => TokenizerFolder.Open(folder["none"])).Message);
    }

    private static SentencePieceTrainerSpec NoBytes => TinyModels.Bpe with { ByteFallback = false };

    private static IEnumerable<SentencePiece> Start => Tiny.Pieces.Take(3);

    private static SentencePiece Normal(string text) => new(text, 0, SentencePieceType.Normal);

    private static void AssertRefused(string expected, IReadOnlyList<SentencePiece> pieces, SentencePieceTrainerSpec trainer)
    {
        var error = Assert.Throws<UserErrorException>(() => new SentencePieceModel(pieces, trainer, TinyModels.Identity, "some.model"));
        Assert.Contains(error.Problems, problem => problem.StartsWith("some.model: ", StringComparison.Ordinal) && problem.Contains(expected, StringComparison.Ordinal));
    }
}
