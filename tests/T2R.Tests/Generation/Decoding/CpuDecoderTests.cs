using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Models;
using T2R.Ops.GatedSlot;
using T2R.Ops.Quantized;
using T2R.Tests.Checkpoints;
using T2R.Tests.Interop;
using T2R.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Generation.Decoding;

public sealed class CpuDecoderTests : IDisposable
{
    private static readonly TinyShape Small = new() { HybridLayers = [] };

    // Wide enough for its head and its MLP to be shared out among threads even for one token.
    private static readonly TinyShape Large = new() { HybridLayers = [], Hidden = 256, Heads = 8, HeadDim = 32, Slots = 32, Intermediate = 4096, Vocabulary = 5000, Layers = 2, Tied = true };

    // Whole groups of 64 in every matrix.
    private static readonly TinyShape Grouped = new() { HybridLayers = [], Hidden = 64, HeadDim = 16, Slots = 16, Intermediate = 192 };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Shapes => ["plain", "one head a group", "one kv head", "odd sizes", "tied", "wide"];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Token_by_token_gives_the_reference_logits(string shape)
    {
        var (plain, model) = Load(Shape(shape));
        using var _ = model;
        using var decoder = new CpuDecoder(model, 2);
        int[] ids = Ids(plain, 75);
        AssertReference(plain, ids, ids.Select(id => Step(decoder, 1, id)));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_prompt_in_pieces_gives_the_reference_logits_and_the_bits_of_single_tokens(string shape)
    {
        var (plain, model) = Load(Shape(shape));
        using var _ = model;
        using var decoder = new CpuDecoder(model, 2);
        int[] ids = Ids(plain, 150);
        float[][] single = [.. ids.Select(id => Step(decoder, 1, id))];
        AssertReference(plain, ids, single);
        foreach (int length in new[] { 2, 3, 31, 33, 64 })
        {
            decoder.Clear(0);
            for (int start = 0; start < ids.Length; start += length)
            {
                int end = Math.Min(ids.Length, start + length);
                decoder.Prefill(0, ids.AsSpan(start..end));
                Assert.Equal(single[end - 1], decoder.Logits(0).ToArray());
            }

            Assert.Equal(150, decoder.Length(0));
        }
    }

    [Fact]
    public void Weights_in_bf16_give_the_logits_that_the_same_numbers_give_in_fp32_to_the_bit()
    {
        new TinyModel(Small, ScalarType.BFloat16).Save(_folder["m"]);
        using var folder = ModelFolder.Open(_folder["m"]);
        using CausalLM half = folder.Load(CPU, ScalarType.BFloat16), wide = folder.Load(CPU, ScalarType.Float32);
        using CpuDecoder a = new(half, 1), b = new(wide, 1);
        foreach (int id in Enumerable.Range(0, 40))
        {
            Assert.Equal(Step(a, 0, id), Step(b, 0, id));
        }
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("int4")]
    public void Weights_in_few_bits_give_the_logits_that_tensors_give(string format)
    {
        var (plain, model) = Load(Grouped, ScalarType.Float32, QuantizedFormat.Parse(format));
        using var _ = model;
        using var decoder = new CpuDecoder(model, 1);
        int[] ids = Ids(plain, 70);
        float[] actual = [.. ids.SelectMany(id => Step(decoder, 0, id))];
        using var expected = AllLogits.Of(model, tensor([.. ids.Select(id => (long)id)], [1, ids.Length]), GatedSlotForm.Chunk, cancellation: TestContext.Current.CancellationToken);
        float[] tensors = [.. expected.data<float>()];
        Assert.Equal(0, tensors.Zip(actual, (e, a) => Math.Abs(e - a)).Max(), 1e-4 * tensors.Max(Math.Abs));
    }

    [Theory]
    [InlineData("small", null, 1)]
    [InlineData("grouped", "int8", 1)]
    [InlineData("grouped", "int4", 1)]
    [InlineData("large", null, 1)]
    [InlineData("large", "int4", 2)]
    public void A_sequence_has_the_same_bits_alone_as_among_others(string shape, string? format, int threads)
    {
        const int Slots = 70;
        var (plain, model) = Load(shape switch { "large" => Large, "grouped" => Grouped, _ => Small }, ScalarType.Float32, format is null ? null : QuantizedFormat.Parse(format));
        using var _ = model;
        using var alone = new CpuDecoder(model, 1);
        float[][] expected = [.. Ids(plain, 12).Select(id => Step(alone, 0, id))];
        int[] ids = Ids(plain, 12);
        using var count = TorchThreadCount.Of(threads);
        using var decoder = new CpuDecoder(model, Slots);
        var random = new Random(3);
        decoder.Prefill(Slots - 2, Ids(plain, 50));

        // Slot 40 reads the text; which others read beside it, and what, changes from step to step.
        for (int i = 0; i < ids.Length; i++)
        {
            int[] slots = [.. Enumerable.Range(0, Slots).Where(s => s == 40 || random.Next(6) < (i % 7))];
            random.Shuffle(slots);
            int step = i;
            decoder.Step(slots, [.. slots.Select(s => s == 40 ? ids[step] : random.Next(plain.Shape.Vocabulary))]);
            Assert.Equal(expected[i], decoder.Logits(40).ToArray());
        }
    }

    [Fact]
    public void What_a_slot_remembers_can_be_saved_and_loaded_elsewhere()
    {
        var (plain, model) = Load(Shape("odd sizes"));
        using var _ = model;
        using CpuDecoder from = new(model, 1), to = new(model, 3);
        from.Prefill(0, Ids(plain, 20));
        var state = from.Save(0);
        to.Prefill(2, Ids(plain, 5));
        to.Load(2, state);
        Assert.Equal(20, to.Length(2));
        Assert.Equal(Step(from, 0, 7), Step(to, 2, 7));
    }

    [Fact]
    public void What_it_saves_is_the_models_own_state()
    {
        var (plain, model) = Load(Shape("odd sizes"));
        using var _ = model;
        using var scope = NewDisposeScope();
        using var decoder = new CpuDecoder(model, 1);
        int[] ids = Ids(plain, 40);
        decoder.Prefill(0, ids);
        using var state = model.CreateState(1);
        model.Continue(tensor([.. ids.Select(id => (long)id)], [1, ids.Length]), state, GatedSlotForm.Chunk);
        var saved = decoder.Save(0);
        foreach (var (layer, keys, values) in state.Layers.Cast<T2R.Mixers.GatedSlotLayerState>().Zip(saved.Keys, saved.Values))
        {
            AssertClose([.. layer.Value.Keys.contiguous().data<float>()], keys);
            AssertClose([.. layer.Value.Values.contiguous().data<float>()], values);
        }
    }

    [Fact]
    public void A_cleared_slot_is_a_new_one()
    {
        var (_, model) = Load(Small);
        using var _2 = model;
        using var decoder = new CpuDecoder(model, 1);
        float[] first = Step(decoder, 0, 5);
        Step(decoder, 0, 6);
        decoder.Clear(0);
        Assert.Equal(0, decoder.Length(0));
        Assert.Equal(first, Step(decoder, 0, 5));
    }

    [Fact]
    public void The_state_is_as_large_after_many_tokens_as_before_the_first()
    {
        var (plain, model) = Load(Shape("wide"));
        using var _ = model;
        using var decoder = new CpuDecoder(model, 1);
        long before = decoder.StateBytes(0);
        decoder.Prefill(0, Ids(plain, 64));
        using var state = model.CreateState(1);
        Assert.Equal(state.ByteCount, before);
        Assert.Equal(before, decoder.StateBytes(0));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_step_allocates_nothing(bool large)
    {
        var (_, model) = Load(large ? Large : Small);
        using var _2 = model;
        using var decoder = new CpuDecoder(model, 3);
        int[] slots = [2, 0], ids = [5, 6];
        decoder.Step(slots, ids);
        long tensors = TensorCount.Settled(), before = GC.GetAllocatedBytesForCurrentThread();
        decoder.Step(slots, ids);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(tensors, Tensor.TotalCount);
    }

    [Fact]
    public void The_likeliest_token_is_chosen_for_each_slot()
    {
        var (_, model) = Load(Small);
        using var _2 = model;
        using IDecoder decoder = new CpuDecoder(model, 2);
        decoder.Step([0, 1], [5, 6]);
        int[] chosen = new int[2];
        var greedy = new Sampler(new SamplingOptions { Temperature = 0 }, model.Config.VocabularySize);
        decoder.Choose([1, 0], [greedy, greedy], chosen);
        Assert.Equal([Likeliest(decoder.Logits(1)), Likeliest(decoder.Logits(0))], chosen);
    }

    [Fact]
    public void Only_recurrent_models_in_fp32_or_bf16_without_adapters_are_taken()
    {
        using CausalLM recurrent = Load(Small).Model, hybrid = Load(Small with { HybridLayers = [1] }).Model, wide = Load(Small, ScalarType.Float64).Model;
        Assert.True(CpuDecoder.Takes(recurrent));
        Assert.False(CpuDecoder.Takes(hybrid));
        Assert.False(CpuDecoder.Takes(wide));
        Assert.Throws<ArgumentException>(() => new CpuDecoder(hybrid, 1));
        using var adapted = Load(Small).Model.WithAdapters(new LoraConfig(2, 4, ["*.q_proj.weight"]), 1);
        Assert.False(CpuDecoder.Takes(adapted));
    }

    private static TinyShape Shape(string name) => name switch
    {
        "plain" => Small,
        "one head a group" => Small with { KeyValueHeads = 4, Tau = 3 },
        "one kv head" => Small with { KeyValueHeads = 1 },
        "odd sizes" => Small with { Hidden = 30, Heads = 6, KeyValueHeads = 2, HeadDim = 5, Slots = 9, Intermediate = 37, Vocabulary = 61 },
        "tied" => Small with { Tied = true },
        _ => Small with { Hidden = 64, Heads = 4, HeadDim = 16, Slots = 32, Intermediate = 1200, Vocabulary = 128 },
    };

    private static int[] Ids(TinyModel plain, int count) => [.. Enumerable.Range(0, count).Select(i => ((i * i * 7) + (3 * i)) % plain.Shape.Vocabulary)];

    private static float[] Step(CpuDecoder decoder, int slot, int id)
    {
        decoder.Step([slot], [id]);
        return decoder.Logits(slot).ToArray();
    }

    private static int Likeliest(ReadOnlySpan<float> logits) => Array.IndexOf(logits.ToArray(), logits.ToArray().Max());

    private static void AssertReference(TinyModel plain, int[] ids, IEnumerable<float[]> logits)
    {
        using var scope = NewDisposeScope();
        float[][] rows = [.. logits];
        LogitsAssert.Close(new ReferenceModel(plain).Logits([.. ids.Select(id => (long)id)]), tensor([.. rows.SelectMany(r => r)], [rows.Length, rows[0].Length]));
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        float largest = expected.Max(Math.Abs);
        Assert.All(expected.Zip(actual), p => Assert.Equal(p.First, p.Second, 1e-5f * largest));
    }

    private (TinyModel Plain, CausalLM Model) Load(TinyShape shape, ScalarType dtype = ScalarType.Float32, QuantizedFormat? quantization = null)
    {
        var plain = new TinyModel(shape);
        string path = _folder[Guid.NewGuid().ToString("N")];
        plain.Save(path);
        using var folder = ModelFolder.Open(path);
        return (plain, folder.Load(CPU, dtype, quantization));
    }
}
