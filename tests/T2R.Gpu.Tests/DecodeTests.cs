using T2R.Bench;
using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Models;
using T2R.Ops.Decode;
using T2R.Ops.Quantized;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>The card's decoder: fp32's logits, the same bits whatever runs beside, states that go on, and the sampler's choices.</summary>
public class DecodeTests
{
    private static readonly ModelConfig Config = GradientCheck.Small(DecodeBench.Shape("mistral-7b"));

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(null, ScalarType.Float16, 1)]
    [InlineData("int8", ScalarType.Float16, 1)]
    [InlineData("int4", ScalarType.Float16, 1)]
    [InlineData(null, ScalarType.BFloat16, 1)]
    [InlineData("int4", ScalarType.BFloat16, 1)]
    [InlineData(null, ScalarType.Float16, 0.001)]
    [InlineData(null, ScalarType.Float16, 200)]
    public void Steps_and_prompts_give_the_logits_of_fp32_on_the_CPU(string? format, ScalarType dtype, double size)
    {
        using var drawn = Draw();
        drawn[WeightLayout.Embedding].mul_(size);
        drawn[WeightLayout.OfBlock(0, "mixer_norm")].mul_(Math.Min(1, size));
        using var model = On(drawn, format, dtype);
        using var decoder = new CudaDecoder(model, 3);
        using var wide = new CausalLM(Config, TypicalWeights.Held(drawn, model.Config));
        using var expected = new TensorDecoder(wide, 1);
        int[] ids = [.. Enumerable.Range(0, 40).Select(i => 2 + (i * 7919 % 990))];
        decoder.Prefill(1, ids.AsSpan(0, 20));
        expected.Prefill(0, ids.AsSpan(0, 20));
        Agree(expected.Logits(0), decoder.Logits(1), dtype);
        foreach (int id in ids[20..])
        {
            decoder.Step([1], [id]);
            expected.Step([0], [id]);
            Agree(expected.Logits(0), decoder.Logits(1), dtype);
        }

        Assert.Equal(40, decoder.Length(1));
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(null, ScalarType.Float16)]
    [InlineData("int8", ScalarType.Float16)]
    [InlineData("int4", ScalarType.Float16)]
    [InlineData(null, ScalarType.BFloat16)]
    public void A_sequence_gives_the_same_bits_whatever_runs_beside_it(string? format, ScalarType dtype)
    {
        using var model = Load(format, dtype);
        using var decoder = new CudaDecoder(model, 70);
        float[]? alone = null;
        foreach (int count in new[] { 1, 2, 8, 9, 16, 17, 32, 33, 64, 70 })
        {
            int[] slots = [.. Enumerable.Range(0, count).Select(i => (i + 5) % 70)], ids = [.. Enumerable.Range(0, count).Select(i => 10 + i)];
            foreach (int slot in slots)
            {
                decoder.Clear(slot);
            }

            for (int i = 0; i < 4; i++)
            {
                decoder.Step(slots, [.. ids.Select(id => id + i)]);
            }

            float[] logits = decoder.Logits(slots[0]).ToArray();
            Assert.Equal(alone ??= logits, logits);
            Assert.All(logits, x => Assert.True(float.IsFinite(x)));
        }
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void Tokens_one_by_one_and_all_at_once_agree_to_2e_3_of_the_largest_logit()
    {
        using var model = Load(null);
        using var decoder = new CudaDecoder(model, 2);
        int[] ids = [.. Enumerable.Range(0, 300).Select(i => 2 + (i * 7919 % 990))];
        foreach (int count in new[] { 1, 64, 65, 300 })
        {
            decoder.Clear(0);
            decoder.Clear(1);
            decoder.Prefill(0, ids.AsSpan(0, count));
            float[] atOnce = decoder.Logits(0).ToArray();
            foreach (int id in ids.AsSpan(0, count))
            {
                decoder.Step([1], [id]);
            }

            double largest = atOnce.Max(Math.Abs);
            Assert.All(atOnce.Zip(decoder.Logits(1).ToArray()), x => Assert.InRange(Math.Abs(x.First - x.Second) / largest, 0, 2e-3));
        }
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData("int8", ScalarType.Float16)]
    [InlineData("int8", ScalarType.BFloat16)]
    [InlineData("int4", ScalarType.Float16)]
    [InlineData("int4", ScalarType.BFloat16)]
    public void A_matrix_in_few_bits_has_the_numbers_that_it_has_on_the_CPU(string format, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var there = Quantizer.Quantize(randn(208, 320), QuantizedFormat.Parse(format), "w");
        using var here = there.ToCard(CUDA);
        Assert.True(there.Dequantize(dtype).equal(here.Dequantize(dtype).cpu()).all().item<bool>());
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_state_goes_on_in_another_slot_with_the_same_bits()
    {
        using var model = Load(null);
        using var decoder = new CudaDecoder(model, 2);
        decoder.Prefill(0, [3, 4, 5, 6, 7]);
        decoder.Load(1, decoder.Save(0));
        decoder.Step([0], [8]);
        float[] expected = decoder.Logits(0).ToArray();
        decoder.Step([1], [8]);
        Assert.Equal(expected, decoder.Logits(1).ToArray());
        Assert.Equal(6, decoder.Length(1));
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void Choices_are_the_samplers()
    {
        using var scope = NewDisposeScope();
        const int Vocabulary = 32000, Rows = 8;
        manual_seed(3);
        var logits = randn(Rows, Vocabulary) * 3;
        var there = logits.cuda();
        var ids = empty([CudaChoose.MostSequences], ScalarType.Int32, CUDA);
        int differ = 0, all = 0;
        for (int draw = 0; draw < 8; draw++)
        {
            foreach (var options in Options())
            {
                var sampling = options with { Seed = (ulong)(draw * 31) };
                var choices = new CudaChoose.Choice[Rows];
                for (int row = 0; row < Rows; row++)
                {
                    choices[row] = new() { Seed = sampling.Seed, Draw = draw, Temperature = sampling.Temperature, TopP = sampling.TopP, MinP = sampling.MinP, TopK = sampling.TopK ?? 0, Row = row, Vocabulary = Vocabulary };
                }

                CudaChoose.Run(there, choices, ids);
                int[] chosen = [.. ids.cpu().data<int>()];
                for (int row = 0; row < Rows; row++, all++)
                {
                    differ += chosen[row] == new Sampler(sampling, Vocabulary, draw).Next([.. logits[row].data<float>()]) ? 0 : 1;
                }
            }
        }

        // Where the last token of a nucleus hangs on the last bit of a sum.
        Assert.InRange(differ, 0, all / 200);
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void Each_sampler_chooses_from_its_own_vocabulary()
    {
        using var model = Load(null);
        using var decoder = new CudaDecoder(model, 2);
        decoder.Step([0, 1], [5, 5]);
        float[] logits = decoder.Logits(0).ToArray();
        int likeliest = Array.IndexOf(logits, logits.Max());
        Assert.InRange(likeliest, 1, int.MaxValue);
        var options = new SamplingOptions { Temperature = 0 };
        int[] chosen = new int[2];
        decoder.Choose([0, 1], [new Sampler(options, likeliest), new Sampler(options, model.Config.VocabularySize)], chosen);
        Assert.Equal([new Sampler(options, likeliest).Next(logits), likeliest], chosen);
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void Samplers_that_choose_here_and_there_stand_side_by_side()
    {
        using var model = Load(null);
        using var decoder = new CudaDecoder(model, 4);
        int[] slots = [0, 1, 2, 3];
        decoder.Step(slots, [5, 6, 7, 8]);
        SamplingOptions[] options =
        [
            new() { Temperature = 0 },
            new() { Temperature = 0, LogitBias = new Dictionary<int, float> { [77] = 100 } },
            new() { Temperature = 0, TopK = 1, Seed = 3 },
            new() { Temperature = 0, RepetitionPenalty = 1.5 },
        ];
        Sampler[] samplers = [.. options.Select(o => new Sampler(o, model.Config.VocabularySize))];
        int[] chosen = new int[4];
        decoder.Choose(slots, samplers, chosen);
        Assert.Equal(slots.Select(s => samplers[s].Next(decoder.Logits(s).ToArray())), chosen);
        Assert.Equal(77, chosen[1]);
    }

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void What_makes_no_sense_is_refused_and_changes_nothing()
    {
        using var model = Load(null);
        using var decoder = new CudaDecoder(model, 2);
        int vocabulary = model.Config.VocabularySize;
        Assert.Throws<ArgumentException>(() => decoder.Logits(0));
        decoder.Prefill(0, [3, 4]);
        decoder.Step([1], [5]);
        float[] logits = decoder.Logits(1).ToArray();
        SlotState before = decoder.Save(0), beside = decoder.Save(1);
        Assert.All<Action>(
            [
                () => decoder.Prefill(0, []),
                () => decoder.Prefill(0, new int[decoder.PrefillLength + 1]),
                () => decoder.Prefill(0, [1, vocabulary]),
                () => decoder.Prefill(-1, [1]),
                () => decoder.Step([0, 0], [1, 2]),
                () => decoder.Step([0, 1], [1]),
                () => decoder.Step([0, 1], [1, vocabulary]),
                () => decoder.Step([0, 2], [1, 2]),
                () => decoder.Clear(-1),
                () => decoder.Save(-1),
                () => decoder.Load(-1, before),
                () => decoder.Load(0, beside with { Keys = [.. beside.Keys.Skip(1)] }),
                () => decoder.Load(0, beside with { Values = [.. beside.Values.SkipLast(1), []] }),
                () => decoder.Logits(0),
            ],
            refused => Assert.Throws<ArgumentException>(refused));
        Assert.Equal(logits, decoder.Logits(1).ToArray());
        Assert.Equal((2, 1), (decoder.Length(0), decoder.Length(1)));
        var after = decoder.Save(0);
        Assert.Equal(before.Keys, after.Keys);
        Assert.Equal(before.Values, after.Values);
    }

    private static IEnumerable<SamplingOptions> Options() =>
        from temperature in new[] { 0.0, 0.7, 1.3 }
        from topK in new int?[] { null, 1, 40 }
        from topP in new[] { 1, 0.9 }
        from minP in new[] { 0, 0.05 }
        select new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP };

    private static WeightSet Draw() => TypicalWeights.Draw(Config, CPU, ScalarType.Float32);

    private static CausalLM Load(string? format, ScalarType dtype = ScalarType.Float16)
    {
        using var weights = Draw();
        return On(weights, format, dtype);
    }

    private static CausalLM On(WeightSet weights, string? format, ScalarType dtype)
    {
        var config = Config with { Quantization = format is null ? null : QuantizedFormat.Parse(format) };
        return new CausalLM(config, TypicalWeights.Narrowed(weights, config, CUDA, dtype));
    }

    // Inputs of products are rounded on the card.
    private static void Agree(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, ScalarType dtype)
    {
        double off = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            off += Math.Pow(actual[i] - (double)expected[i], 2);
            norm += Math.Pow(expected[i], 2);
        }

        Assert.InRange(Math.Sqrt(off / norm), 0, dtype == ScalarType.Float16 ? 0.004 : 0.03);
    }
}
