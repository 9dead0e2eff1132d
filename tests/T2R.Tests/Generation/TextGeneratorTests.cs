using System.Text.Json.Nodes;
using T2R.Generation;
using T2R.Generation.Serving;
using T2R.Tests.Checkpoints;
using T2R.Tests.Generation.Serving;
using T2R.Tests.Models;
using Xunit;

namespace T2R.Tests.Generation;

public sealed class TextGeneratorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TextGeneratorTests() => Save("m", new TinyShape { HybridLayers = [], Vocabulary = TinyTokens.Count });

    private static SamplingOptions Sampling { get; } = new() { Seed = 3 };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_text_is_what_the_engine_generates_after_the_prompt()
    {
        using var generator = TextGenerator.Open(_folder["m"]);
        Assert.Empty(generator.Warnings);
        var pieces = await generator.StreamAsync("in the", 60, Sampling, Stop).ToListAsync(Stop);
        Assert.DoesNotContain("", pieces);
        int[] prompt = [1, .. TinyTokens.Tokenizer.EncodeToIds("in the")];
        var running = generator.Engine.Submit(new GenerationRequest { Prompt = prompt, MaxNewTokens = 60, Sampling = Sampling }, Stop);
        Assert.Equal((await running.All()).Text(), string.Concat(pieces));
        Assert.NotEmpty(pieces);
    }

    [Fact]
    public async Task It_begins_when_it_is_enumerated_and_again_when_it_is_enumerated_again()
    {
        using var generator = TextGenerator.Open(_folder["m"]);
        var stream = generator.StreamAsync("the", 20, Sampling, Stop);
        Assert.Equal(0, generator.Engine.Statistics.PromptTokens);
        string first = await Text(stream);
        Assert.NotEmpty(first);
        Assert.Equal(first, await Text(stream));
    }

    [Fact]
    public async Task Streams_at_once_are_what_each_is_alone()
    {
        string[] prompts = ["", "in the", "the", "abc"];
        using var one = TextGenerator.Open(_folder["m"]);
        using var three = TextGenerator.Open(_folder["m"], slots: 3);
        var alone = new List<string>();
        foreach (string prompt in prompts)
        {
            alone.Add(await Text(one.StreamAsync(prompt, 40, Sampling, Stop)));
        }

        Assert.Equal(alone, await Task.WhenAll(prompts.Select(p => Text(three.StreamAsync(p, 40, Sampling, Stop)))));
    }

    [Fact]
    public async Task Leaving_a_stream_frees_its_slot_and_cancelling_it_throws()
    {
        using var generator = TextGenerator.Open(_folder["m"]);
        await foreach (string _ in generator.StreamAsync("the", int.MaxValue, Sampling, Stop))
        {
            break;
        }

        using var cancellation = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (string _ in generator.StreamAsync("the", int.MaxValue, Sampling, cancellation.Token))
            {
                await cancellation.CancelAsync();
            }
        });
        Assert.NotEmpty(await Text(generator.StreamAsync("the", 20, Sampling, Stop)));
    }

    [Fact]
    public async Task A_stream_that_is_cut_does_not_end_as_if_it_were_whole()
    {
        using var generator = TextGenerator.Open(_folder["m"]);
        var sampling = Sampling with { LogitBias = new Dictionary<int, float> { [2] = -100 } };
        await using var stream = generator.StreamAsync("the", int.MaxValue, sampling, Stop).GetAsyncEnumerator(Stop);
        Assert.True(await stream.MoveNextAsync());
        generator.Dispose();
        await Assert.ThrowsAsync<EngineStoppedException>(async () =>
        {
            while (await stream.MoveNextAsync())
            {
            }
        });
    }

    [Fact]
    public void Every_mistake_is_named_at_once()
    {
        var problems = Assert.Throws<UserErrorException>(() => TextGenerator.Open(_folder["none"], "tpu", "int3", "int5", slots: 0)).Problems;
        Assert.Collection(
            problems,
            p => Assert.Contains("'tpu' is not a device", p),
            p => Assert.Contains("'int3' is not a dtype", p),
            p => Assert.Contains("'int5' is not a format", p),
            p => Assert.Contains("0 streams", p),
            p => Assert.Contains("none: no such folder", p));
    }

    [Fact]
    public async Task Sampling_out_of_range_is_named()
    {
        using var generator = TextGenerator.Open(_folder["m"]);
        var refusal = await Assert.ThrowsAsync<UserErrorException>(() => Text(generator.StreamAsync("the", -1, new SamplingOptions { Temperature = -1 }, Stop)));
        Assert.Equal(2, refusal.Problems.Count);
    }

    [Fact]
    public async Task Numbers_and_few_bits_are_chosen_by_name()
    {
        Save("wide", new TinyShape { HybridLayers = [], Vocabulary = TinyTokens.Count, Hidden = 64, HeadDim = 16, Intermediate = 64 });
        using var plain = TextGenerator.Open(_folder["wide"], dtype: "bf16");
        using var quantized = TextGenerator.Open(_folder["wide"], quantization: "int4");
        Assert.Equal((null, "int4"), (plain.Engine.Config.Quantization, quantized.Engine.Config.Quantization!.Name));
        Assert.NotEmpty(await Text(plain.StreamAsync("the", 20, Sampling, Stop)));
        Assert.NotEmpty(await Text(quantized.StreamAsync("the", 20, Sampling, Stop)));
    }

    [Fact]
    public void A_config_key_without_effect_is_a_warning()
    {
        string config = Path.Combine(_folder["m"], "config.json");
        var json = JsonNode.Parse(File.ReadAllText(config))!;
        json["unheard_of"] = 1;
        File.WriteAllText(config, json.ToJsonString());
        using var generator = TextGenerator.Open(_folder["m"]);
        Assert.Contains("unheard_of", Assert.Single(generator.Warnings));
    }

    [Fact]
    public async Task No_tensor_is_left_behind()
    {
        long before = TensorCount.Settled();
        using (var generator = TextGenerator.Open(_folder["m"]))
        {
            Assert.NotEmpty(await Text(generator.StreamAsync("in the", 40, Sampling, Stop)));
        }

        Assert.Equal(before, TensorCount.Settled());
    }

    private static async Task<string> Text(IAsyncEnumerable<string> stream) => string.Concat(await stream.ToListAsync(Stop));

    private void Save(string name, TinyShape shape)
    {
        new TinyModel(shape).Save(_folder[name]);
        TinyTokens.Tokenizer.Model.Save(Path.Combine(_folder[name], "tokenizer.model"));
    }
}
