using System.Text.Json;
using T2R.Tokenization;
using T2R.Tokenization.Json;
using Xunit;

namespace T2R.Tests.Tokenization.Json;

/// <summary>Mistral's genuine tokenizer.json beside its genuine tokenizer.model.</summary>
public sealed class JsonGoldTests
{
    [Fact]
    public void Both_files_of_Mistral_give_the_same_ids()
    {
        JsonTokenizer tokenizer = JsonTokenizer.Load(SharedData.Path("mistral-tokenizer/tokenizer.json"));
        using var gold = JsonDocument.Parse(File.ReadAllBytes(SharedData.Path("mistral-tokenizer/gold.json")));
        Assert.Equal(259, gold.RootElement.GetArrayLength());
        foreach (JsonElement line in gold.RootElement.EnumerateArray())
        {
            string text = line.GetProperty("text").GetString()!;
            int[] expected = [.. line.GetProperty("mistral_v1").EnumerateArray().Select(id => id.GetInt32())];
            var ids = new List<int>();
            tokenizer.AppendIds(text, ids);
            Assert.Equal(expected, ids);
            Assert.Equal(expected, tokenizer.EncodeToTokens(text, out _).Select(t => t.Id));
        }
    }

    // By design: to tokenizer.json it is the control token, to SentencePiece it is text.
    [Theory]
    [InlineData("a<s>b", 1)]
    [InlineData("</s>", 2)]
    [InlineData("- <unk> -", 0)]
    public void A_text_that_spells_a_control_token_differs(string text, int control)
    {
        TextTokenizer json = JsonTokenizer.Load(SharedData.Path("mistral-tokenizer/tokenizer.json")), model = TokenizerFolder.Open(SharedData.Path("mistral-tokenizer"));
        Assert.Contains(control, json.EncodeToIds(text));
        Assert.DoesNotContain(model.EncodeToIds(text), id => id < 3);
        Assert.Equal(text, model.Decode(model.EncodeToIds(text)));
    }

    // A text that spells control tokens, taken as text throughout, is the text SentencePiece takes it for.
    [Fact]
    public void Control_tokens_taken_as_text_are_SentencePieces_text()
    {
        TextTokenizer json = JsonTokenizer.Load(SharedData.Path("mistral-tokenizer/tokenizer.json")), model = TokenizerFolder.Open(SharedData.Path("mistral-tokenizer"));
        var ids = new List<int>();
        json.AppendNormalizedIds(Assert.Single(json.Split("a <s>b</s> <unk>", controls: false)).Text, ids);
        Assert.Equal(model.EncodeToIds("a <s>b</s> <unk>"), ids);
        Assert.Equal([1, 264, 2], model.Split("<s>a</s>", controls: true).Select(p => p.Text is null ? p.Id : Assert.Single(model.EncodeToIds(p.Text, considerNormalization: false))));
    }

    [Fact]
    public void The_original_is_taken_where_both_files_are()
    {
        string folder = SharedData.Path("mistral-tokenizer");
        Assert.IsType<SentencePieceTokenizer>(TokenizerFolder.Open(folder));
        Assert.Equal("tokenizer.model (SentencePiece; tokenizer.json beside it is not used)", TokenizerFolder.Describe(folder, TokenizerFolder.Open(folder)));
        JsonTokenizer json = JsonTokenizer.Load(Path.Combine(folder, "tokenizer.json"));
        Assert.Equal((32000, 1), (json.VocabularySize, json.BeginningOfSentenceId));
    }
}
