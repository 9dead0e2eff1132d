using CsCheck;
using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Generation.Serving;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Generation.Serving;

/// <summary>A request's tokens are its own, whatever joins and leaves beside it.</summary>
public class ContinuousBatchingTests
{
    // What a request asks for, how long it comes after the one before, and after how many tokens its reader leaves.
    private static readonly Gen<(GenerationRequest Request, int Delay, int Leaves)> AnyArrival =
        from prompt in Gen.Int[3, TinyTokens.Count - 1].Array[1, 40]
        from most in Gen.Int[0, 30]
        from seed in Gen.ULong
        from temperature in Gen.OneOf(Gen.Double[0, 0], Gen.Double[0.5, 2])
        from penalty in Gen.OneOf(Gen.Double[1, 1], Gen.Double[1, 2])
        from echo in Gen.Int[0, 3]
        from logProbabilities in Gen.Int[0, 3]
        from delay in Gen.Int[0, 200]
        from leaves in Gen.Int[0, 60]
        select (new GenerationRequest
        {
            Prompt = prompt,
            MaxNewTokens = most,
            Sampling = new SamplingOptions { Seed = seed, Temperature = temperature, RepetitionPenalty = penalty },
            Echo = echo == 0,
            LogProbabilities = logProbabilities == 0 && echo != 0 ? 2 : null,
        }, delay, leaves);

    [Theory]
    [InlineData("recurrent")]
    [InlineData("hybrid")]
    public async Task A_request_alone_and_among_31_others_gives_the_same_tokens(string kind)
    {
        using var folder = new TemporaryFolder();
        using var model = Load(folder, kind);
        var random = new Random(5);
        GenerationRequest[] requests = [.. Enumerable.Range(0, 32).Select(i => new GenerationRequest
        {
            Prompt = [1, .. Enumerable.Range(0, random.Next(60)).Select(_ => random.Next(3, TinyTokens.Count))],
            MaxNewTokens = random.Next(5, 60),
            Sampling = new SamplingOptions { Seed = (ulong)i, Temperature = i % 3 },
        })];
        long before = TensorCount.Settled();
        int[][] together;
        await using (var engine = new Engine(Decoders.Open(model, slots: 8), TinyTokens.Tokenizer))
        {
            RunningGeneration[] running = [.. requests.Select(r => Submit(engine, r))];
            var leaving = Leave(running[7]);
            together = [.. (await Task.WhenAll(running.Where((_, i) => i != 7).Select(r => r.All()))).Select(t => t.Ids())];
            await leaving;
        }

        Assert.Equal(before, TensorCount.Settled());
        using var alone = new TensorDecoder(model, slots: 1);
        Assert.Equal([.. requests.Where((_, i) => i != 7).Select(r => PlainGeneration.Ids(alone, TinyTokens.Count, r))], together);

        static async Task Leave(RunningGeneration running)
        {
            await foreach (var token in running.Tokens)
            {
                return;
            }
        }
    }

    [Fact]
    public void Whatever_comes_and_goes_gets_its_own_tokens_and_every_slot_is_free_in_the_end() =>
        Gen.Select(AnyArrival.Array[1, 25], Gen.Int[1, 5], Gen.Int[1, 12]).Sample(
            (arrivals, slots, prefillLength) =>
            {
                var decoder = new ToyDecoder(slots, TinyTokens.Count, prefillLength);
                var engine = new Engine(decoder, TinyTokens.Tokenizer, null, new EngineOptions { ReaderBuffer = 5 });
                var all = new List<Task>();
                foreach (var (request, delay, leaves) in arrivals)
                {
                    Thread.SpinWait(delay * 10);
                    all.Add(Read(engine.Submit(request), request, leaves));
                }

                Task.WhenAll(all).GetAwaiter().GetResult();
                engine.DrainAsync().GetAwaiter().GetResult();
                Assert.Equal((0, 0), (engine.Statistics.Active, engine.Statistics.Waiting));
                Assert.Equal(arrivals.Length, engine.Statistics.Finished + engine.Statistics.Cancelled);
                Assert.All(Enumerable.Range(0, slots), s => Assert.Equal(0, decoder.Length(s)));

                async Task Read(RunningGeneration running, GenerationRequest request, int leaves)
                {
                    var tokens = new List<GenerationToken>();
                    await foreach (var token in running.Tokens)
                    {
                        tokens.Add(token);
                        if (tokens.Count > leaves)
                        {
                            break;
                        }
                    }

                    int[] ids = PlainGeneration.Ids(new ToyDecoder(1, TinyTokens.Count, prefillLength), TinyTokens.Count, request);
                    int[] expected = [.. request.Echo ? request.Prompt : [], .. ids];
                    Assert.Equal(expected.Take(leaves + 1), tokens.Select(t => t.Id));
                    Assert.Equal(request.Echo ? Math.Min(request.Prompt.Count, leaves + 1) : 0, tokens.Count(t => t.IsPrompt));
                    var result = await running.Result;
                    Assert.InRange(result.NewTokens, tokens.Count(t => !t.IsPrompt), ids.Length);
                }
            },
            iter: 60,
            threads: 1);

    private static RunningGeneration Submit(Engine engine, GenerationRequest request) => engine.Submit(request, TestContext.Current.CancellationToken);

    private static CausalLM Load(TemporaryFolder folder, string kind)
    {
        new TinyModel(new TinyShape { HybridLayers = kind == "hybrid" ? [1] : [], Window = 16, Vocabulary = TinyTokens.Count + 3 }).Save(folder["m"]);
        using var opened = ModelFolder.Open(folder["m"]);
        return opened.Load(CPU, ScalarType.Float32);
    }
}
