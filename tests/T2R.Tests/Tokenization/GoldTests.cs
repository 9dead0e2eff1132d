using System.Text.Json;
using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Tokenization;

/// <summary>SentencePiece's own ids for real texts and hard cases.</summary>
public sealed class GoldTests
{
    [Theory]
    [InlineData("mistral-tokenizer", "mistral_v1")]
    [InlineData("stories260K", "stories")]
    public void Ids_equal_SentencePiece(string folder, string column)
    {
        var tokenizer = (SentencePieceTokenizer)TokenizerFolder.Open(SharedData.Path(folder));
        using var gold = JsonDocument.Parse(File.ReadAllBytes(SharedData.Path("mistral-tokenizer/gold.json")));
        foreach (JsonElement line in gold.RootElement.EnumerateArray())
        {
            string text = line.GetProperty("text").GetString()!;
            int[] expected = [.. line.GetProperty(column).EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal(expected, tokenizer.EncodeToIds(text));
            Assert.Equal(expected, tokenizer.EncodeToTokens(text, out _).Select(token => token.Id));
            var uncut = new List<int>();
            tokenizer.AppendIdsUncut(text, uncut);
            Assert.Equal(expected, uncut);
        }
    }

    [Fact]
    public void Decoding_gives_the_text_back()
    {
        var tokenizer = (SentencePieceTokenizer)TokenizerFolder.Open(SharedData.Path("mistral-tokenizer"));
        using var gold = JsonDocument.Parse(File.ReadAllBytes(SharedData.Path("mistral-tokenizer/gold.json")));
        foreach (JsonElement line in gold.RootElement.EnumerateArray())
        {
            string text = line.GetProperty("text").GetString()!;
            Assert.Equal(text.Replace('▁', ' '), tokenizer.Decode(tokenizer.EncodeToIds(text)));
        }
    }

    [Fact]
    public void The_genuine_model_survives_writing_and_reading()
    {
        SentencePieceModel model = SentencePieceModel.Load(SharedData.Path("mistral-tokenizer/tokenizer.model"));
        SentencePieceModel again = SentencePieceModel.Parse(model.ToBytes(), "again");
        Assert.Equal(model.Pieces, again.Pieces);
        Assert.Equal(model.Trainer, again.Trainer);
        Assert.Equal(32000, again.Pieces.Count);
    }

    [Fact]
    public void The_genuine_model_names_its_special_ids()
    {
        var tokenizer = (SentencePieceTokenizer)TokenizerFolder.Open(SharedData.Path("mistral-tokenizer"));
        Assert.Equal((0, 1, 2, null), (tokenizer.UnknownId, tokenizer.BeginningOfSentenceId, tokenizer.EndOfSentenceId, tokenizer.PadId));
        Assert.Equal(32000, tokenizer.VocabularySize);
    }
}
