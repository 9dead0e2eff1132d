using T2R.Bench;
using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Generation.Serving;
using T2R.Mixers;
using T2R.Models;
using T2R.Tokenization;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>Sequences that a decoder of tensor operators reads on the card, and an engine on a thread of its own.</summary>
public class DecodingTests
{
    private static readonly SentencePieceTokenizer Tokenizer =
        new(new BytePairTrainer { VocabularySize = 300 }.Train([.. Enumerable.Range(0, 300).Select(i => $"the tale of bell {i} in the hall and of {i * i} balls on the wall")]));

    private static readonly ModelConfig Recurrent = TrainedModel.Config with { Mixers = [.. TrainedModel.Config.Mixers.Where(m => m is GatedSlotAttentionConfig)] };

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(ScalarType.Float32, 1e-4)]
    [InlineData(ScalarType.BFloat16, 2e-2)]
    public void Tokens_read_one_by_one_give_the_logits_of_the_chunk_form(ScalarType dtype, double bar)
    {
        using var model = Load(dtype);
        using var decoder = new TensorDecoder(model, slots: 2);
        int[] ids = [.. Enumerable.Range(0, 200).Select(i => ((i * i) + (7 * i)) % 1000)];
        decoder.Prefill(0, ids);
        float[] expected = decoder.Logits(0).ToArray();
        decoder.Prefill(1, ids.AsSpan(0, 100));
        foreach (int id in ids[100..])
        {
            decoder.Step([1], [id]);
        }

        float[] given = decoder.Logits(1).ToArray();
        double error = expected.Zip(given, (e, g) => Math.Abs(e - (double)g)).Max() / expected.Max(e => Math.Abs((double)e));
        TestContext.Current.SendDiagnosticMessage($"{dtype}: {error:E2} of the largest logit");
        Assert.InRange(error, 0, bar);
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_state_goes_on_as_if_nothing_had_happened()
    {
        using var model = Load(ScalarType.BFloat16);
        using var decoder = new TensorDecoder(model, slots: 2);
        decoder.Prefill(0, [.. Enumerable.Range(0, 150)]);
        var saved = decoder.Save(0);
        decoder.Load(1, saved);
        for (int id = 0; id < 20; id++)
        {
            decoder.Step([0, 1], [id, id]);
            Assert.Equal(decoder.Logits(0), decoder.Logits(1));
        }

        decoder.Load(0, saved);
        decoder.Load(1, saved);
        decoder.Prefill(0, [.. Enumerable.Range(0, 150)]);
        decoder.Prefill(1, [.. Enumerable.Range(0, 150)]);
        Assert.Equal(decoder.Save(0).Values[0], decoder.Save(1).Values[0]);
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_request_alone_and_among_others_gives_the_same_tokens()
    {
        using var model = Load(ScalarType.BFloat16);
        using var engine = new Engine(Decoders.Open(model, slots: 8), Tokenizer);
        GenerationRequest[] requests = [.. Enumerable.Range(0, 16).Select(i => new GenerationRequest
        {
            Prompt = [1, .. Enumerable.Range(0, 5 * i).Select(j => 3 + (((i * 31) + (j * j)) % 290))],
            MaxNewTokens = 30,
            IgnoreEos = true,
            Sampling = new SamplingOptions { Seed = (ulong)i, TopP = 0.9 },
        })];
        int[][] together = [.. requests.Select(r => engine.Submit(r, TestContext.Current.CancellationToken)).ToArray().Select(Ids)];
        Assert.Equal(together, requests.Select(r => Ids(engine.Submit(r, TestContext.Current.CancellationToken))));

        static int[] Ids(RunningGeneration running) => [.. running.Tokens.ToBlockingEnumerable(TestContext.Current.CancellationToken).Select(t => t.Id)];
    }

    private static CausalLM Load(ScalarType dtype) => new(Recurrent, TypicalWeights.Draw(Recurrent, CUDA, dtype));
}
