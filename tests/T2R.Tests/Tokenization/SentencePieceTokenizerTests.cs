using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Tokenization;

public sealed class SentencePieceTokenizerTests
{
    private static readonly SentencePieceTokenizer English = TinyModels.Tokenizer(TinyModels.Ranked(TinyModels.English));

    [Fact]
    public void Nothing_encodes_to_nothing() => Assert.Empty(English.EncodeToIds(""));

    [Fact]
    public void A_space_is_put_before_the_text_and_shown_as_U2581() => Assert.Equal(["▁the", "▁in"], English.Pieces("the in"));

    [Fact]
    public void The_highest_score_merges_first() => Assert.Equal(["▁a", "bc"], English.Pieces("abc"));

    [Fact]
    public void Of_equal_scores_the_leftmost_merges_first()
    {
        SentencePiece[] pieces = [.. new[] { "aa", "aaa", "a" }.Select(p => new SentencePiece(p, -1e9f, SentencePieceType.Normal))];
        Assert.Equal(["aaa", "aaa", "a"], TinyModels.Tokenizer(pieces, normalizer: TinyModels.Identity with { AddDummyPrefix = false }).Pieces("aaaaaaa"));
    }

    [Fact]
    public void A_character_without_a_piece_is_spelled_in_bytes() =>
        Assert.Equal(["▁", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>", "<0x0A>"], English.Pieces("😀\n"));

    [Fact]
    public void Characters_without_a_piece_merge_where_their_pair_is_a_piece() => Assert.Equal(["▁", "😀😀", "é!"], English.Pieces("😀😀é!"));

    [Fact]
    public void Without_byte_fallback_a_run_of_unknown_characters_is_one_unknown_id()
    {
        SentencePieceTokenizer tokenizer = TinyModels.Tokenizer(TinyModels.Ranked(TinyModels.English), TinyModels.Bpe with { ByteFallback = false });
        Assert.Equal(["▁the", "<unk>", "in", "<unk>"], tokenizer.Pieces("the漢字ZinZ"));
        Assert.Equal(["▁the", "<unk>", "in", "<unk>"], tokenizer.EncodeToTokens("the漢字ZinZ", out _).Select(t => tokenizer.Model.Pieces[t.Id].Text));
        Assert.Equal("the ⁇ in ⁇ ", tokenizer.Decode(tokenizer.EncodeToIds("the漢字ZinZ")));
    }

    [Theory]
    [InlineData("<s>")]
    [InlineData("</s>")]
    [InlineData("<unk>")]
    [InlineData("<0x41>")]
    public void The_name_of_a_special_piece_is_plain_text(string name)
    {
        int[] ids = [.. English.EncodeToIds(name)];
        Assert.All(ids, id => Assert.NotEqual(name, English.Model.Pieces[id].Text));
        Assert.Equal(name, English.Decode(ids));
    }

    [Fact]
    public void Control_pieces_are_found_in_a_template_and_each_text_between_them_begins_with_a_space()
    {
        Assert.Equal(["▁the<s>"], English.Split("the<s>", controls: false).Select(p => p.Text));
        Assert.Equal(["", "▁the", "", "▁in", "", "▁▁in", ""], English.Split("<s>the</s> in<s>  in</s>", controls: true).Select(p => p.Text ?? ""));
        Assert.Equal([1, 2], English.Split("<s></s>", controls: true).Select(p => p.Id));
        Assert.Empty(English.Split("", controls: true));
    }

    [Fact]
    public void User_defined_pieces_are_found_before_any_merge_the_longest_first()
    {
        SentencePiece[] pieces =
        [
            .. TinyModels.Ranked(TinyModels.English),
            new("he▁i", 0, SentencePieceType.UserDefined),
            new("he▁in", 0, SentencePieceType.UserDefined),
        ];
        Assert.Equal(["▁t", "he▁in", "t", "he▁i"], TinyModels.Tokenizer(pieces).Pieces("the inthe i"));
    }

    [Fact]
    public void Unused_pieces_are_taken_apart_again()
    {
        SentencePiece[] pieces =
        [
            .. TinyModels.Ranked(TinyModels.English).Select(p => p.Text is "▁the" or "he" or "😀😀" ? p with { Type = SentencePieceType.Unused } : p),
        ];
        Assert.Equal(["▁t", "h", "e"], TinyModels.Tokenizer(pieces).Pieces("the"));
        Assert.Equal("the😀😀", TinyModels.Tokenizer(pieces).Decode(TinyModels.Tokenizer(pieces).EncodeToIds("the😀😀")));
    }

    [Fact]
    public void Whitespace_as_suffix_puts_the_space_behind_the_text() =>
        Assert.Equal(["a", "▁"], TinyModels.Tokenizer(TinyModels.Ranked(TinyModels.English), TinyModels.Bpe with { TreatWhitespaceAsSuffix = true }).Pieces("a"));

    [Fact]
    public void Extra_spaces_go_where_the_model_says_so()
    {
        SentencePieceTokenizer tokenizer =
            TinyModels.Tokenizer(TinyModels.Ranked(TinyModels.English), normalizer: TinyModels.Identity with { RemoveExtraWhitespaces = true });
        Assert.Equal(["▁the", "▁in"], tokenizer.Pieces("  the   in  "));
        Assert.Empty(tokenizer.Pieces("   "));
    }

    [Fact]
    public void Tokens_tell_where_they_lie_in_the_normalized_text()
    {
        var tokens = English.EncodeToTokens("the ☃in", out string? normalized);
        Assert.Equal("▁the▁☃in", normalized);
        Assert.Equal([0..4, 4..5, 5..5, 5..5, 5..6, 6..8], tokens.Select(t => t.Offset));
        Assert.Equal(["▁the", "▁", "<0xE2>", "<0x98>", "<0x83>", "in"], tokens.Select(t => t.Value));
    }

    [Fact]
    public void A_limit_on_tokens_keeps_the_first_ones()
    {
        Assert.Equal(English.EncodeToIds("the in").Take(1), English.EncodeToIds("the in", 1, out string? normalized, out int consumed));
        Assert.Equal(("▁the▁in", 4), (normalized, consumed));
        Assert.Equal(2, English.CountTokens("the in"));
        Assert.Equal(4, English.GetIndexByTokenCount("the in", 1, out _, out _));
    }

    [Fact]
    public void Appending_leaves_what_was_there()
    {
        List<int> ids = [7];
        English.AppendIds("the", ids);
        English.AppendIds(" in", ids);
        Assert.Equal([7, .. English.EncodeToIds("the"), .. English.EncodeToIds(" in")], ids);
    }

    [Fact]
    public void Known_words_are_encoded_without_an_allocation_a_token()
    {
        string text = string.Concat(Enumerable.Repeat("the in abc xxx -- the.", 100));
        var ids = new List<int>(10_000);
        English.AppendIds(text, ids);
        ids.Clear();
        long before = GC.GetAllocatedBytesForCurrentThread();
        English.AppendIds(text, ids);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, ids.Count / 2);
    }

    [Theory]
    [InlineData('x')]
    [InlineData(' ')]
    [InlineData('-')]
    [InlineData('☃')]
    public void A_run_of_one_character_may_be_long(char character)
    {
        string text = new(character, 100_000);
        Assert.Equal(text, English.Decode(English.EncodeToIds(text)));
    }

    [Fact]
    public void Threads_share_a_tokenizer()
    {
        SentencePieceTokenizer shared = TinyModels.Tokenizer(TinyModels.Ranked(TinyModels.English));
        string[] texts = [.. Enumerable.Range(0, 2000).Select(i => $"the in{i % 37} abc{new string('x', i % 11)} {i}")];
        int[][] expected = [.. texts.Select(t => English.EncodeToIds(t).ToArray())];
        int[][] found = new int[texts.Length][];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => found[i] = [.. shared.EncodeToIds(texts[i])]);
        Assert.Equal(expected, found);
    }
}
