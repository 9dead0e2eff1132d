using T2R.Conversion;
using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Interop.Cuda;
using T2R.Mixers;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Bench;

/// <summary>Times what a recurrent model of random weights generates and reads on a card, after a small one's logits were compared with fp32.</summary>
public static class DecodeBench
{
    private const int CheckedLength = 70, WarmUps = 8;

    /// <summary>How near the logits of a small model must be: inputs of its products are rounded to fp16.</summary>
    public static AgreementBar Bar { get; } = new(MostError: 0.004, LeastCosine: 0.9999);

    /// <summary>How near steps must be to the chunk form, of the whole model: both are in fp16, rounded at other places.</summary>
    public static AgreementBar StepsBar { get; } = new(MostError: 0.008, LeastCosine: 0.9999);

    /// <summary>The recurrent shape that a name stands for.</summary>
    /// <param name="config">A config.json, or one of <see cref="RandomModel.Presets"/>; a transformer's stands for what it is converted to.</param>
    /// <exception cref="UserErrorException">There is none, it cannot be converted, or there are no kernels for it.</exception>
    public static ModelConfig Shape(string config)
    {
        var shape = RandomModel.Shape(config);
        var recurrent = shape.IsRecurrent ? shape : ConversionTarget.Of(shape, new ConversionOptions(), config);
        return CudaStep.UnfitShape(recurrent) is { } why
            ? throw new UserErrorException($"There are no kernels that decode {config}: {why}. Give a shape that they take.")
            : recurrent;
    }

    /// <summary>Compares and times.</summary>
    /// <param name="config">A recurrent model, and what its blocks' matrices are held in.</param>
    /// <param name="batches">How many sequences at once, each of which is timed.</param>
    /// <param name="promptLength">Tokens of a prompt that is read.</param>
    /// <param name="rates">The card's, for the floors.</param>
    /// <param name="steps">How many tokens of each sequence are timed.</param>
    /// <param name="report">Told what is being done.</param>
    /// <exception cref="UserErrorException">The card has no kernels for the shape.</exception>
    /// <exception cref="WrongResultException">Logits are too far off, or depend on what else is decoded; nothing is timed then.</exception>
    public static DecodeBenchResult Run(ModelConfig config, IReadOnlyList<int> batches, int promptLength, CardRates rates, int steps, Action<string> report)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(batches);
        ArgumentNullException.ThrowIfNull(rates);
        ArgumentNullException.ThrowIfNull(report);
        report("comparing a small model's logits with fp32");
        var agreements = Compare(GradientCheck.Small(config));
        Bar.Require(agreements);

        report($"drawing {WeightLayout.Of(config).Sum(s => s.Count):N0} weights");
        using var model = new CausalLM(config, TypicalWeights.DrawThere(config, CUDA, ScalarType.Float16));
        using var decoder = new CudaDecoder(model, batches.Max());
        report("comparing one sequence alone and among others, and tokens one by one with all at once");
        var stepped = new Dictionary<string, Agreement> { ["steps against chunks, 7 tokens"] = StepsAgainstChunks(model, decoder) };
        StepsBar.Require(stepped);
        RequireSameBits(decoder);
        double weights = model.Weights.ByteCount - (config.TieWordEmbeddings ? 0 : (double)config.VocabularySize * config.HiddenSize * 2);
        double operations = 2.0 * WeightLayout.Of(config).Where(s => s.IsProjection).Sum(s => (double)s.Count);
        var lines = new List<BenchLine>();
        foreach (int batch in batches)
        {
            report($"timing {steps:N0} tokens of {batch:N0} sequences");
            int[] slots = [.. Enumerable.Range(0, batch)], ids = Ids(batch, config.VocabularySize);
            Sampler[] samplers = [.. slots.Select(_ => new Sampler(new SamplingOptions { Temperature = 0 }, config.VocabularySize))];
            double seconds = TimeOf(steps, () =>
            {
                decoder.Step(slots, ids);
                decoder.Choose(slots, samplers, ids);
            });
            lines.Add(new BenchLine($"{batch:N0}", seconds, rates.Floor(weights + (2.0 * batch * decoder.StateBytes(0)), batch * (operations + (2.0 * config.VocabularySize * config.HiddenSize)))));
        }

        report($"timing a prompt of {promptLength:N0} tokens");
        int[] prompt = Ids(promptLength, config.VocabularySize);
        double reading = TimeOf(1, () =>
        {
            for (int start = 0; start < prompt.Length; start += decoder.PrefillLength)
            {
                decoder.Prefill(0, prompt.AsSpan(start, Math.Min(decoder.PrefillLength, prompt.Length - start)));
            }
        });
        return new DecodeBenchResult(agreements.Concat(stepped).ToDictionary(), lines, new BenchLine("prompt", reading, rates.Floor(weights, operations * promptLength)), promptLength, decoder.StateBytes(0));
    }

    // Scattered, whatever the vocabulary's size is.
    private static int[] Ids(int count, int vocabulary) => [.. Enumerable.Range(0, count).Select(i => 3 + (int)((long)i * 7919 % (vocabulary - 3)))];

    // By the card's clock, in which the host's time shows where the card waits for it.
    private static double TimeOf(int times, Action action)
    {
        for (int i = 0; i < (times == 1 ? 1 : WarmUps); i++)
        {
            action();
        }

        using var begin = new CudaEvent(0, timed: true);
        using var end = new CudaEvent(0, timed: true);
        CudaStream.Torch(0).Record(begin);
        for (int i = 0; i < times; i++)
        {
            action();
        }

        CudaStream.Torch(0).Record(end);
        end.Synchronize();
        return end.MillisecondsSince(begin) / 1000 / times;
    }

    private static Dictionary<string, Agreement> Compare(ModelConfig config)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var weights = TypicalWeights.Draw(config with { Quantization = null }, CPU, ScalarType.Float32);
        using var narrow = new CausalLM(config, TypicalWeights.Narrowed(weights, config, CUDA, ScalarType.Float16));
        using var wide = new CausalLM(config with { Quantization = null }, TypicalWeights.Held(weights, config));
        if (CudaDecoder.Unfit(narrow) is { } why)
        {
            throw new UserErrorException($"The model cannot be decoded by kernels here: {why}.");
        }

        using var decoder = new CudaDecoder(narrow, 3);
        int[] ids = Ids(CheckedLength, config.VocabularySize);
        using var context = new SequenceContext(1, ids.Length, CPU);
        var expected_TV = wide.Forward(tensor(ids, [1, ids.Length]).to(ScalarType.Int64), context)[0];
        var stepped = new List<Tensor>();
        foreach (int id in ids)
        {
            decoder.Step([2], [id]);
            stepped.Add(tensor(decoder.Logits(2).ToArray()));
        }

        decoder.Prefill(0, ids);
        return new()
        {
            ["logits by steps"] = Agreement.Of(stack(stepped), expected_TV),
            ["logits after a prompt"] = Agreement.Of(tensor(decoder.Logits(0).ToArray()), expected_TV[^1]),
        };
    }

    private static Agreement StepsAgainstChunks(CausalLM model, CudaDecoder decoder)
    {
        using var scope = NewDisposeScope();
        int[] ids = Ids(7, model.Config.VocabularySize);
        decoder.Clear(0);
        decoder.Prefill(0, ids);
        var expected = tensor(decoder.Logits(0).ToArray());
        decoder.Clear(0);
        foreach (int id in ids)
        {
            decoder.Step([0], [id]);
        }

        return Agreement.Of(tensor(decoder.Logits(0).ToArray()), expected);
    }

    private static void RequireSameBits(CudaDecoder decoder)
    {
        int last = decoder.Slots - 1;
        int[] all = [.. Enumerable.Range(0, decoder.Slots)], ids = Ids(decoder.Slots, decoder.Config.VocabularySize);
        float[]? expected = null;
        for (int others = 0; others < 2; others++)
        {
            foreach (int slot in all)
            {
                decoder.Clear(slot);
            }

            for (int i = 0; i < 3; i++)
            {
                if (others == 0)
                {
                    decoder.Step([last], [ids[last]]);
                }
                else
                {
                    decoder.Step(all, ids);
                }
            }

            float[] logits = decoder.Logits(last).ToArray();
            if (expected is not null && !logits.AsSpan().SequenceEqual(expected))
            {
                throw new WrongResultException($"a sequence's logits are not the same bits alone and among {last} others: nothing was timed");
            }

            expected = logits;
        }
    }
}
