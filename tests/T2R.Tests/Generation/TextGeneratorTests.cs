using T2R.Generation;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Generation;

public sealed class TextGeneratorTests : IDisposable
{
    private static readonly TinyShape Recurrent = new() { HybridLayers = [] }, Hybrid = new() { HybridLayers = [1], Window = 6 }, Transformer = new();
    private static readonly GenerationOptions Greedy = new() { Sampling = new SamplingOptions { Temperature = 0 }, MaxNewTokens = 30, IgnoreEos = true };

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Kinds => ["recurrent", "hybrid", "transformer"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_greedy_token_is_the_references_likeliest(string kind)
    {
        var (plain, model) = Load(kind);
        using var _ = model;
        int[] prompt = [5, 17, 33, 8], ids = Generate(model, prompt, Greedy);
        Assert.Equal(30, ids.Length);
        double[][] logits = new ReferenceModel(plain).Logits([1, .. prompt.Concat(ids).Select(id => (long)id)]);
        for (int i = 0; i < ids.Length; i++)
        {
            double[] row = logits[prompt.Length + i];
            Assert.Equal(row.Max(), row[ids[i]], 1e-3);
        }
    }

    [Fact]
    public void An_empty_prompt_is_the_beginning_of_a_text()
    {
        var (plain, model) = Load("recurrent");
        using var _ = model;
        double[] row = new ReferenceModel(plain).Logits([1])[0];
        Assert.Equal(Array.IndexOf(row, row.Max()), Generate(model, [], Greedy with { MaxNewTokens = 1 })[0]);
    }

    [Fact]
    public void A_prompt_longer_than_one_piece_reads_as_one_text()
    {
        var (plain, model) = Load("recurrent");
        using var _ = model;
        int[] prompt = [.. Enumerable.Range(0, DecodingSession.PrefillLength + 70).Select(i => ((i * i) + (7 * i)) % 60)];
        using var session = new DecodingSession(model);
        session.Read(prompt, TestContext.Current.CancellationToken);
        double[] expected = new ReferenceModel(plain).Logits([.. prompt.Select(id => (long)id)])[^1];
        using var scope = NewDisposeScope();
        LogitsAssert.Close([expected], tensor(session.Logits.ToArray(), [1, 60]));
        Assert.Equal(prompt.Length, session.Length);
    }

    [Fact]
    public void The_end_of_text_ends_it_unless_it_is_ignored()
    {
        var (_, model) = Load("recurrent");
        using var _2 = model;
        int[] all = Generate(model, [], new GenerationOptions { MaxNewTokens = 400, IgnoreEos = true, Sampling = new SamplingOptions { Seed = 5 } });
        int end = Array.IndexOf(all, model.Config.EosTokenId);
        Assert.InRange(end, 1, 399);
        Assert.Equal(400, all.Length);
        Assert.Equal(all[..end], Generate(model, [], new GenerationOptions { MaxNewTokens = 400, Sampling = new SamplingOptions { Seed = 5 } }));
    }

    [Fact]
    public void Ids_beyond_the_tokenizers_are_never_chosen()
    {
        var (_, model) = Load("recurrent");
        using var _2 = model;
        var options = new GenerationOptions { MaxNewTokens = 300, IgnoreEos = true };
        Assert.Contains(Generate(model, [], options), id => id >= 20);
        Assert.DoesNotContain(Generate(model, [], options with { VocabularySize = 20 }), id => id >= 20);
    }

    [Fact]
    public void A_session_goes_on_where_it_stopped()
    {
        var (_, model) = Load("hybrid");
        using var _2 = model;
        using var session = new DecodingSession(model);
        int[] first = [.. TextGenerator.Generate(session, [7], Greedy with { MaxNewTokens = 10 }, TestContext.Current.CancellationToken)];
        int[] second = [.. TextGenerator.Generate(session, [first[^1]], Greedy with { MaxNewTokens = 20 }, TestContext.Current.CancellationToken)];
        Assert.Equal(Generate(model, [7], Greedy), first.Concat(second));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void No_tensor_is_left_behind(string kind)
    {
        var (_, model) = Load(kind);
        long before = TensorCount.Settled();
        using (model)
        {
            using var session = new DecodingSession(model);
            long? during = null;
            foreach (int id in TextGenerator.Generate(session, [3, 4], Greedy with { MaxNewTokens = 60 }, TestContext.Current.CancellationToken))
            {
                during ??= Tensor.TotalCount;
                Assert.Equal(during, Tensor.TotalCount);
            }
        }

        Assert.True(Tensor.TotalCount < before);
    }

    [Fact]
    public void Cancellation_stops_before_the_next_token()
    {
        var (_, model) = Load("recurrent");
        using var _2 = model;
        using var session = new DecodingSession(model);
        using var stop = new CancellationTokenSource();
        int count = 0;
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (int id in TextGenerator.Generate(session, [], Greedy, stop.Token))
            {
                if (++count == 3)
                {
                    stop.Cancel();
                }
            }
        });
        Assert.Equal(3, count);
    }

    [Fact]
    public void Options_out_of_range_are_named_before_anything_is_computed()
    {
        var (_, model) = Load("recurrent");
        using var _2 = model;
        using var session = new DecodingSession(model);
        var error = Assert.Throws<UserErrorException>(() => TextGenerator.Generate(
            session, [], new GenerationOptions { MaxNewTokens = -1, Sampling = new SamplingOptions { TopP = 0 } }, TestContext.Current.CancellationToken));
        Assert.Equal(2, error.Problems.Count);
        Assert.Throws<ArgumentException>(() => session.Read([60], TestContext.Current.CancellationToken));
        Assert.Throws<ArgumentException>(() => session.Read([], TestContext.Current.CancellationToken));
    }

    private static int[] Generate(CausalLM model, int[] prompt, GenerationOptions options)
    {
        using var session = new DecodingSession(model);
        return [.. TextGenerator.Generate(session, prompt, options, TestContext.Current.CancellationToken)];
    }

    private (TinyModel Plain, CausalLM Model) Load(string kind)
    {
        var plain = new TinyModel(kind switch { "recurrent" => Recurrent, "hybrid" => Hybrid, _ => Transformer });
        plain.Save(_folder["m"]);
        using var folder = ModelFolder.Open(_folder["m"]);
        return (plain, folder.Load(CPU, ScalarType.Float32));
    }
}
