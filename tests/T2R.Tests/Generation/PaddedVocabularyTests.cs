using T2R.Generation;
using T2R.Tests.Checkpoints;
using T2R.Tests.Generation.Serving;
using T2R.Tests.Models;
using Xunit;

namespace T2R.Tests.Generation;

/// <summary>A vocabulary that was padded for speed has rows beyond the tokenizer's pieces: they are never chosen, however likely, so that each id has its text.</summary>
public class PaddedVocabularyTests
{
    private const int Padding = 37;

    [Theory]
    [InlineData(true, 0)]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    [InlineData(false, 1)]
    public async Task Rows_beyond_the_tokenizer_change_no_text(bool recurrent, double temperature)
    {
        using var folder = new TemporaryFolder();
        var padded = new TinyModel(new TinyShape { HybridLayers = recurrent ? [] : null, Vocabulary = TinyTokens.Count + Padding });
        var plain = new TinyModel(new TinyShape { HybridLayers = recurrent ? [] : null, Vocabulary = TinyTokens.Count });
        foreach (var (name, weight) in padded.Weights)
        {
            bool hasRows = weight.Shape[0] == TinyTokens.Count + Padding;
            plain.Weights[name] = hasRows ? new TinyTensor([TinyTokens.Count, weight.Shape[1]], weight.Values[..(TinyTokens.Count * (int)weight.Shape[1])]) : weight;
        }

        // Logits a thousand times as large as others, half of them above all.
        double[] head = padded.Weights["lm_head.weight"].Values;
        for (int i = TinyTokens.Count * 32; i < head.Length; i++)
        {
            head[i] *= 1000;
        }

        string expected = await Text(plain, folder["plain"], temperature);
        Assert.NotEmpty(expected);
        Assert.Equal(expected, await Text(padded, folder["padded"], temperature));
    }

    private static async Task<string> Text(TinyModel model, string folder, double temperature)
    {
        model.Save(folder);
        TinyTokens.Tokenizer.Model.Save(Path.Combine(folder, "tokenizer.model"));
        using var generator = TextGenerator.Open(folder);
        var sampling = new SamplingOptions { Temperature = temperature, Seed = 5 };
        return string.Concat(await generator.StreamAsync("in the", 40, sampling, TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken));
    }
}
