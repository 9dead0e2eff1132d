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

public class SequenceStateTests
{
    private const string Mine = "fingerprint";

    [Fact]
    public void However_often_it_pauses_a_sequence_chooses_what_it_would_have_chosen() =>
        Gen.Select(Gen.Int[3, TinyTokens.Count - 1].Array[1, 40], Gen.Int[0, 15].Array[1, 5], Gen.ULong, Gen.Double[1, 2], Gen.Int[1, 9]).Sample(
            (prompt, parts, seed, penalty, prefillLength) =>
            {
                using var engine = new Engine(new ToyDecoder(2, TinyTokens.Count, prefillLength), TinyTokens.Tokenizer, Mine);
                var whole = new GenerationRequest
                {
                    Prompt = prompt, MaxNewTokens = parts.Sum(), IgnoreEos = true, Sampling = new SamplingOptions { Seed = seed, RepetitionPenalty = penalty },
                };
                var ids = new List<int>();
                SequenceState? state = null;
                foreach (int part in parts)
                {
                    (int[] more, state) = Run(engine, whole with { Prompt = state is null ? prompt : [], From = state, MaxNewTokens = part, KeepState = true });
                    ids.AddRange(more);
                }

                Assert.Equal(PlainGeneration.Ids(new ToyDecoder(1, TinyTokens.Count, prefillLength), TinyTokens.Count, whole), ids);
                Assert.Equal((prompt.Length + ids.Count, ids.Count), (state!.Length, state.Draws));
                Assert.Equal(prompt.Concat(ids).Distinct().Order(), state.Seen);
            },
            iter: 100,
            threads: 1);

    [Fact]
    public void A_prompt_read_in_advance_goes_on_as_one_prompt() =>
        Gen.Select(Gen.Int[3, TinyTokens.Count - 1].Array[1, 50], Gen.Int[3, TinyTokens.Count - 1].Array[0, 20], Gen.Int[1, 9]).Sample(
            (prompt, rest, prefillLength) =>
            {
                using var engine = new Engine(new ToyDecoder(2, TinyTokens.Count, prefillLength), TinyTokens.Tokenizer, Mine);
                var (_, state) = Run(engine, new GenerationRequest { Prompt = prompt, MaxNewTokens = 0, KeepState = true });
                var whole = new GenerationRequest { Prompt = [.. prompt, .. rest], MaxNewTokens = 5, IgnoreEos = true };
                Assert.Equal(PlainGeneration.Ids(new ToyDecoder(1, TinyTokens.Count, prefillLength), TinyTokens.Count, whole), Run(engine, whole with { Prompt = rest, From = state }).Ids);
            },
            iter: 100,
            threads: 1);

    [Fact]
    public void A_book_read_once_is_continued_twice_as_if_it_were_read_each_time()
    {
        using var folder = new TemporaryFolder();
        new TinyModel(new TinyShape { HybridLayers = [], Vocabulary = TinyTokens.Count }).Save(folder["m"]);
        using var opened = ModelFolder.Open(folder["m"]);
        using var model = opened.Load(CPU, ScalarType.Float32);
        using var engine = new Engine(Decoders.Open(model, slots: 2), TinyTokens.Tokenizer, opened.Fingerprint());
        var random = new Random(1);
        int[] book = [1, .. Enumerable.Range(0, 99_999).Select(_ => random.Next(3, TinyTokens.Count))];
        var (none, read) = Run(engine, new GenerationRequest { Prompt = book, MaxNewTokens = 0, KeepState = true });
        Assert.Empty(none);
        Assert.InRange(read!.Unread.Count, 1, 2048);
        StateFile.Write(folder["book.state"], read, model.Config);
        Assert.InRange(new FileInfo(folder["book.state"]).Length, 0, StateSize.Bytes(model.Config, 100_000, 4) + 20_000);
        var state = StateFile.Read(folder["book.state"], model.Config, opened.Fingerprint());
        foreach (int[] question in (int[][])[[], [50, 60, 70]])
        {
            var request = new GenerationRequest { Prompt = question, From = state, MaxNewTokens = 40, IgnoreEos = true, Sampling = new SamplingOptions { Seed = 8, RepetitionPenalty = 1.2 } };
            int[] ids = Run(engine, request).Ids;
            Assert.Equal(40, ids.Length);
            Assert.Equal(Run(engine, request with { Prompt = [.. book, .. question], From = null }).Ids, ids);
        }
    }

    [Fact]
    public async Task What_is_cancelled_can_go_on_too()
    {
        await using var engine = new Engine(new ToyDecoder(1, TinyTokens.Count), TinyTokens.Tokenizer, Mine);
        var request = new GenerationRequest { Prompt = [1, 2, 3], MaxNewTokens = int.MaxValue, IgnoreEos = true, KeepState = true };
        var running = engine.Submit(request, TestContext.Current.CancellationToken);
        int count = 0;
        await foreach (var token in running.Tokens)
        {
            if (++count == 50)
            {
                break;
            }
        }

        var result = await running.Result;
        int[] more = Run(engine, request with { Prompt = [], From = result.State, MaxNewTokens = 30 }).Ids;
        var whole = request with { MaxNewTokens = result.NewTokens + 30 };
        Assert.Equal(PlainGeneration.Ids(new ToyDecoder(1, TinyTokens.Count), TinyTokens.Count, whole)[result.NewTokens..], more);
    }

    [Fact]
    public void The_end_of_text_is_the_last_id_of_a_text_that_ended_by_it()
    {
        using var engine = new Engine(new ToyDecoder(1, TinyTokens.Count), TinyTokens.Tokenizer, Mine);
        var (ids, state) = Run(engine, new GenerationRequest { Prompt = [1], MaxNewTokens = 5000, KeepState = true });
        Assert.InRange(ids.Length, 0, 4999);
        Assert.Equal([2], state!.Unread);
        Assert.Equal(ids.Length + 1, state.Draws);
    }

    [Fact]
    public void States_are_refused_where_they_do_not_belong()
    {
        using var engine = new Engine(new ToyDecoder(1, TinyTokens.Count), TinyTokens.Tokenizer, Mine);
        using var nameless = new Engine(new ToyDecoder(1, TinyTokens.Count), TinyTokens.Tokenizer);
        var state = Run(engine, new GenerationRequest { Prompt = [1], MaxNewTokens = 1, KeepState = true }).State!;
        var request = new GenerationRequest { Prompt = [], From = state with { Fingerprint = "another" } };
        Assert.All(["another", Mine], f => Assert.Contains(f, Assert.Throws<UserErrorException>(() => engine.Submit(request, TestContext.Current.CancellationToken)).Message));
        request = request with { From = state with { Unread = [TinyTokens.Count], Seen = [-1] } };
        Assert.Contains("The state has id", Assert.Throws<UserErrorException>(() => engine.Submit(request, TestContext.Current.CancellationToken)).Message);
        Assert.Throws<UserErrorException>(() => nameless.Submit(request with { From = state }, TestContext.Current.CancellationToken));
    }

    private static (int[] Ids, SequenceState? State) Run(Engine engine, GenerationRequest request)
    {
        var running = engine.Submit(request);
        int[] ids = running.Tokens.ToBlockingEnumerable().Ids();
        return (ids, running.Result.GetAwaiter().GetResult().State);
    }
}
