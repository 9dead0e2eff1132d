using CsCheck;
using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Tokenization;

/// <summary>Cutting a text into stretches and remembering them changes nothing.</summary>
public sealed class CutTests
{
    private static readonly Gen<string> Texts = Gen.OneOf(Gen.OneOf(TinyModels.Atoms).Array[0, 40].Select(string.Concat), Gen.String);

    public static TheoryData<bool, bool, bool> Models =>
        [.. from bytes in new[] { true, false } from special in new[] { true, false } from tied in new[] { true, false } select (bytes, special, tied)];

    [Theory]
    [MemberData(nameof(Models))]
    public void Ids_equal_those_of_the_text_merged_in_one_piece(bool byteFallback, bool special, bool tied)
    {
        IEnumerable<SentencePiece> pieces = TinyModels.English.Select((text, i) => new SentencePiece(text, tied ? -(i / 4) : -i, SentencePieceType.Normal));
        if (special)
        {
            pieces = pieces.Concat(new[] { "<u>", "ab▁c", "▁▁▁", "aa", "zz" }.Select(text => new SentencePiece(text, 0, SentencePieceType.UserDefined)));
        }

        SentencePieceTokenizer tokenizer = TinyModels.Tokenizer(pieces, TinyModels.Bpe with { ByteFallback = byteFallback });
        Texts.Sample(
            text =>
            {
                List<int> uncut = [];
                tokenizer.AppendIdsUncut(text, uncut);
                Assert.Equal(uncut, tokenizer.EncodeToIds(text));
                Assert.Equal(uncut, tokenizer.EncodeToTokens(text, out _).Select(token => token.Id));
            },
            iter: 3000);
    }

    [Fact]
    public void A_text_is_cut_only_where_no_piece_joins_its_neighbours()
    {
        var filter = new AdjacencyFilter(["▁ab", "bc", "▁▁"]);
        Assert.Equal(4, filter.FirstCut("▁abc▁ab"));
        Assert.Equal(2, filter.FirstCut("▁▁c"));
        Assert.Equal(2, filter.FirstCut("😀😀"));
    }

    [Fact]
    public void Decoding_gives_back_any_text_but_lone_surrogates_and_U2581()
    {
        SentencePieceTokenizer tokenizer = TinyModels.Tokenizer(TinyModels.Ranked(TinyModels.English));
        Texts.Sample(
            text =>
            {
                char[] expected = text.Replace('▁', ' ').ToCharArray();
                SentencePieceNormalizer.ReplaceLoneSurrogates(expected);
                Assert.Equal(new string(expected), tokenizer.Decode(tokenizer.EncodeToIds(text)));
            },
            iter: 3000);
    }
}
