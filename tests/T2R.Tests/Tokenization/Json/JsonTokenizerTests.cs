using CsCheck;
using T2R.Models;
using T2R.Tokenization;
using T2R.Tokenization.Json;
using Xunit;

namespace T2R.Tests.Tokenization.Json;

public sealed class JsonTokenizerTests
{
    // Without special tokens, of which nothing is left once they are decoded; three random characters may well be one.
    private static readonly Gen<string> Texts = Gen.OneOf(Gen.OneOf(TinyJson.Atoms).Array[0, 30].Select(string.Concat), Gen.String)
        .Select(text => text.Replace("<s>", "s", StringComparison.Ordinal).Replace("</s>", "s", StringComparison.Ordinal));


    private static readonly JsonTokenizer Bytes = TinyJson.Bytes().Add("<s>").Add("</s>").Tokenizer();
    private static readonly JsonTokenizer Characters = TinyJson.Characters().Tokenizer();

    public static TheoryData<bool> Kinds => [true, false];

    // Merges by hand: the lowest rank first, of equal ranks the leftmost.
    [Theory]
    [InlineData("the the", "the Ġthe")]
    [InlineData("The in", "The Ġin")]
    [InlineData("aaaaa", "aa aaa")]
    [InlineData("-----", "---- -")]
    [InlineData("I'll 'LL", "I 'll Ġ ' L L")]
    [InlineData("1234567", "123 4 5 6 7")]
    [InlineData("a  the", "a Ġ Ġthe")]
    [InlineData("a\n\n\nthe", "a ĊĊ Ċ the")]
    [InlineData("é", "Ã©")]
    [InlineData("😀", "ðŁĺ Ģ")]
    [InlineData("𝔘a", "ð Ŀ Ķ ĺ a")]
    [InlineData("<s>the</s>", "<s> the </s>")]
    public void Bytes_merge_as_by_hand(string text, string tokens) => Assert.Equal(tokens, Names(Bytes, text));

    [Theory]
    [InlineData("the in", "▁the ▁in")]
    [InlineData("aaaaa", "▁a aa aa")]
    [InlineData("the<s>the", "▁the <s> ▁the")]
    [InlineData("☃", "▁ <0xE2> <0x98> <0x83>")]
    [InlineData("", "")]
    public void Characters_merge_as_by_hand(string text, string tokens) => Assert.Equal(tokens, Names(Characters, text));

    // U+1D518 is a letter outside of the plane that .NET's expressions know: with the letters beside it it is one word, which the whole is looked up as.
    [Fact]
    public void Letters_above_U_FFFF_are_letters()
    {
        JsonTokenizer tokenizer = TinyJson.Bytes("ð Ŀ", "ðĿ Ķ", "ðĿĶ ĺ", "a ðĿĶĺ", "aðĿĶĺ b").Tokenizer();
        Assert.Equal("aðĿĶĺb", Names(tokenizer, "a𝔘b"));
        Assert.Equal("a ðĿ Ł ĺ b", Names(tokenizer, "a𝟘b"));
    }

    [Fact]
    public void A_pre_token_that_is_a_token_is_that_token_where_merges_are_ignored()
    {
        JsonTokenizer merging = TinyJson.Bytes("h e", "t h", "th e").Tokenizer();
        Assert.Equal("t he", Names(merging, "the"));
        Assert.Equal("the", Names(TinyJson.Bytes("h e", "t h", "th e").With("model.ignore_merges", "true").Tokenizer(), "the"));
    }

    [Fact]
    public void Added_tokens_take_white_space_and_heed_words_as_they_say()
    {
        JsonTokenizer tokenizer = TinyJson.Bytes().Add("<l>", leftStrip: true).Add("<r>", rightStrip: true).Add("word", singleWord: true, special: false).Tokenizer();
        Assert.Equal("a <l> Ġa", Names(tokenizer, "a \n <l> a"));
        Assert.Equal("a Ġ <r> a", Names(tokenizer, "a <r>\t a"));
        Assert.Equal("Ġ word . word", Names(tokenizer, " word.word"));
        Assert.Equal("w o r d _ Ġ Ã© w o r d", Names(tokenizer, "word_ éword"));
    }

    [Fact]
    public void Control_tokens_that_a_text_spells_are_text_where_that_is_wanted()
    {
        Assert.Equal(["<s>"], Bytes.Split("<s>", controls: false).Select(p => p.Text));
        Assert.Equal([null, "a"], Bytes.Split("<s>a", controls: true).Select(p => p.Text));
        var ids = new List<int>();
        Bytes.AppendNormalizedIds("<s>", ids);
        Assert.DoesNotContain(Bytes.ControlTokens["<s>"], ids);
        Assert.Equal("<s>", Bytes.Decode(ids));
    }

    [Fact]
    public void The_beginning_is_not_doubled()
    {
        int begin = Bytes.ControlTokens["<s>"];
        var boundaries = new BoundaryIds(begin, begin, [], []);
        Assert.Equal([begin, 'a'], boundaries.EncodePrompt(Bytes, "a"));
        Assert.Equal([begin, 'a'], boundaries.EncodePrompt(Bytes, "<s>a"));
        Assert.Equal([begin], boundaries.EncodePrompt(Bytes, ""));
    }

    [Fact]
    public void Nothing_is_put_before_a_prompt_unless_it_is_empty_where_the_tokenizer_puts_nothing()
    {
        int begin = Bytes.ControlTokens["<s>"];
        var boundaries = new BoundaryIds(begin, null, [], []);
        Assert.Equal(['a'], boundaries.EncodePrompt(Bytes, "a"));
        Assert.Equal([begin, begin, 'a'], boundaries.EncodePrompt(Bytes, "<s><s>a"));
        Assert.Equal([begin], boundaries.EncodePrompt(Bytes, ""));
        Assert.Empty((boundaries with { Begin = null }).EncodePrompt(Bytes, ""));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Any_text_comes_back(bool bytes) => Texts.Sample(
        text =>
        {
            JsonTokenizer tokenizer = bytes ? Bytes : Characters;
            char[] expected = (bytes ? text : text.Replace('▁', ' ')).ToCharArray();
            SentencePieceNormalizer.ReplaceLoneSurrogates(expected);
            var ids = new List<int>();
            tokenizer.AppendIds(text, ids);
            Assert.Equal(new string(expected), tokenizer.Decode(ids));
        },
        iter: 3000);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_was_decoded_stands_and_is_made_of_whole_characters(bool bytes)
    {
        JsonTokenizer tokenizer = bytes ? Bytes : Characters;
        Gen.Int[0, tokenizer.VocabularySize - 1].Array[0, 30].Sample(
            ids =>
            {
                IncrementalDecoder decoder = tokenizer.NewDecoder();
                string text = "";
                foreach (int id in ids)
                {
                    string certain = decoder.Append(id);
                    char[] whole = certain.ToCharArray();
                    SentencePieceNormalizer.ReplaceLoneSurrogates(whole);
                    Assert.Equal(new string(whole), certain);
                    text += certain;
                }

                Assert.Equal(tokenizer.Decode(ids), text + decoder.Flush());
            },
            iter: 3000);
    }

    [Fact]
    public void A_character_appears_when_its_last_byte_does()
    {
        IncrementalDecoder decoder = Bytes.NewDecoder();
        Assert.Equal(["", "", "", "😀"], "😀"u8.ToArray().Select(b => decoder.Append(b)));
        Assert.Equal(["", "\uFFFDa"], new[] { 0xE2, 'a' }.Select(decoder.Append));
        Assert.Equal("", decoder.Append(0xC3));
        Assert.True(decoder.HasPending);
        Assert.Equal("\uFFFD", decoder.Flush());
    }

    [Fact]
    public void Only_a_text_that_begins_loses_the_space_put_before_it()
    {
        int the = Assert.Single(Characters.EncodeToIds("the"));
        Assert.Equal("the the", Characters.Decode([the, the]));
        Assert.Equal(" the", Characters.NewDecoder(begun: true).Append(the));
    }

    [Fact]
    public void A_text_that_goes_on_is_encoded_as_if_it_were_one()
    {
        string joined = Assert.Single(Characters.Split("the", controls: false)).Text + Characters.NormalizeNext(" in");
        var ids = new List<int>();
        Characters.AppendNormalizedIds(joined, ids);
        Assert.Equal(Characters.EncodeToIds("the in"), ids);
    }

    [Theory]
    [InlineData("x", true)]
    [InlineData(" ", true)]
    [InlineData("\n", true)]
    [InlineData("😀", true)]
    [InlineData("x", false)]
    [InlineData(" ", false)]
    [InlineData("☃", false)]
    public void A_run_of_one_character_may_be_long(string character, bool bytes)
    {
        string text = string.Concat(Enumerable.Repeat(character, 200_000));
        JsonTokenizer tokenizer = bytes ? Bytes : Characters;
        Assert.Equal(text, tokenizer.Decode(tokenizer.EncodeToIds(text)));
    }

    [Fact]
    public void Tokens_tell_where_they_lie_in_the_normalized_text()
    {
        var tokens = Characters.EncodeToTokens("the<s>☃", out string? normalized);
        Assert.Equal("▁the<s>▁☃", normalized);
        Assert.Equal([0..4, 4..7, 7..8, 8..8, 8..8, 8..9], tokens.Select(t => t.Offset));
        Assert.Single(Characters.EncodeToIds("the in", 1, out _, out int consumed));
        Assert.Equal(4, consumed);
    }

    [Fact]
    public void Threads_share_a_tokenizer()
    {
        string[] texts = [.. Enumerable.Range(0, 1000).Select(i => $"the in{i % 37} 😀{new string('x', i % 11)} {i}")];
        JsonTokenizer shared = TinyJson.Bytes().Add("<s>").Add("</s>").Tokenizer();
        int[][] found = new int[texts.Length][];
        Parallel.For(0, texts.Length, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => found[i] = [.. shared.EncodeToIds(texts[i])]);
        Assert.Equal([.. texts.Select(t => Bytes.EncodeToIds(t).ToArray())], found);
    }

    private static string Names(TextTokenizer tokenizer, string text)
    {
        var ids = new List<int>();
        tokenizer.AppendIds(text, ids);
        return string.Join(' ', ids.Select(id => tokenizer[id].Name));
    }
}
