using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Generation.Serving;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Generation.Serving;

public sealed class LogProbabilityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TinyModel _plain = new(new TinyShape { HybridLayers = [], Vocabulary = TinyTokens.Count + 9 });
    private readonly CausalLM _model;

    public LogProbabilityTests()
    {
        _plain.Save(_folder["m"]);
        using var folder = ModelFolder.Open(_folder["m"]);
        _model = folder.Load(CPU, ScalarType.Float32);
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task They_are_the_log_softmax_of_the_models_own_logits()
    {
        int[] prompt = [1, 264, 280, 270];
        var request = new GenerationRequest
        {
            Prompt = prompt,
            MaxNewTokens = 8,
            IgnoreEos = true,
            LogProbabilities = 5,
            Sampling = new SamplingOptions { Temperature = 0.3, TopK = 3, RepetitionPenalty = 1.3, LogitBias = new Dictionary<int, float> { [100] = 9 } },
        };
        using var engine = new Engine(new TensorDecoder(_model, 2), TinyTokens.Tokenizer);
        var tokens = await Submit(engine, request).All();
        AssertRight([.. prompt, .. tokens.Ids()], tokens, prompt.Length, 5);
        Assert.Equal(tokens.Ids(), (await Submit(engine, request with { LogProbabilities = null }).All()).Ids());
        Assert.All(await Submit(engine, request with { LogProbabilities = 0 }).All(), t => Assert.Empty(t.Likeliest!));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public async Task The_prompts_come_with_its_echo(int newTokens)
    {
        int[] prompt = [1, 264, 280, 270, 100, 7];
        var request = new GenerationRequest { Prompt = prompt, MaxNewTokens = newTokens, IgnoreEos = true, LogProbabilities = 2, Echo = true };
        using var engine = new Engine(new TensorDecoder(_model, 2), TinyTokens.Tokenizer);
        var tokens = await Submit(engine, request).All();
        Assert.Equal(prompt, tokens.Where(t => t.IsPrompt).Ids());
        Assert.Equal(prompt.Length + newTokens, tokens.Length);
        Assert.Equal((null, null), (tokens[0].LogProbability, tokens[0].Likeliest));
        AssertRight(tokens.Ids(), tokens[1..], 1, 2);
        Assert.Equal(TinyTokens.Tokenizer.Decode(tokens.Ids()), tokens.Text());
    }

    [Fact]
    public async Task An_echo_alone_costs_no_steps()
    {
        int[] prompt = [1, .. Enumerable.Range(0, 50).Select(i => 100 + i)];
        var decoder = new ToyDecoder(1, TinyTokens.Count);
        await using var engine = new Engine(decoder, TinyTokens.Tokenizer);
        var running = Submit(engine, new GenerationRequest { Prompt = prompt, MaxNewTokens = 3, IgnoreEos = true, Echo = true, Stops = [TinyTokens.Tokenizer.Decode([120, 121])] });
        var tokens = await running.All();
        Assert.Equal(prompt, tokens[..51].Ids());
        Assert.Equal((54, 51), (tokens.Length, tokens.Count(t => t.IsPrompt)));
        Assert.Equal([8, 8, 8, 8, 8, 8, 3, -1, -1], decoder.Calls.Select(c => c.Length));
    }

    private static RunningGeneration Submit(Engine engine, GenerationRequest request) => engine.Submit(request, TestContext.Current.CancellationToken);

    private void AssertRight(int[] ids, GenerationToken[] tokens, int first, int count)
    {
        double[][] logits = new ReferenceModel(_plain).Logits([.. ids.Select(id => (long)id)]);
        for (int i = 0; i < tokens.Length; i++)
        {
            double[] row = logits[first + i - 1];
            double logSum = Math.Log(row.Sum(Math.Exp));
            Assert.Equal(row[tokens[i].Id] - logSum, tokens[i].LogProbability!.Value, 1e-3);
            double[] likeliest = [.. row.Take(TinyTokens.Count).OrderDescending().Take(count).Select(l => l - logSum)];
            Assert.All(likeliest.Zip(tokens[i].Likeliest!), pair => Assert.Equal(pair.First, pair.Second.LogProbability, 1e-3));
            Assert.All(tokens[i].Likeliest!, t => Assert.Equal(row[t.Id] - logSum, t.LogProbability, 1e-3));
            Assert.Equal(count, tokens[i].Likeliest!.DistinctBy(t => t.Id).Count());
        }
    }
}
