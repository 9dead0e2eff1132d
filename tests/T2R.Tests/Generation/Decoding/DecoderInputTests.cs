using T2R.Generation.Decoding;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Generation.Decoding;

public sealed class DecoderInputTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_makes_no_sense_is_refused_and_changes_nothing(bool tensors)
    {
        using var model = Load();
        using IDecoder decoder = tensors ? new TensorDecoder(model, 2) : new CpuDecoder(model, 2);
        decoder.Prefill(0, [3, 4]);
        decoder.Step([1], [5]);
        float[] logits = decoder.Logits(1).ToArray();
        SlotState before = decoder.Save(0), beside = decoder.Save(1);
        Assert.All<Action>(
            [
                () => decoder.Prefill(0, []),
                () => decoder.Prefill(0, new int[decoder.PrefillLength + 1]),
                () => decoder.Prefill(0, [1, 60]),
                () => decoder.Prefill(0, [1, -1]),
                () => decoder.Prefill(2, [1]),
                () => decoder.Prefill(-1, [1]),
                () => decoder.Step([0, 0], [1, 2]),
                () => decoder.Step([0, 1], [1]),
                () => decoder.Step([0], [1, 2]),
                () => decoder.Step([0, 1], [1, 60]),
                () => decoder.Step([0, 2], [1, 2]),
                () => decoder.Step([0, -1], [1, 2]),
                () => decoder.Clear(2),
                () => decoder.Clear(-1),
                () => decoder.Save(2),
                () => decoder.Load(2, before),
                () => decoder.Load(-1, before),
                () => decoder.Load(0, beside with { Keys = [.. beside.Keys.Skip(1)] }),
                () => decoder.Load(0, beside with { Values = [.. beside.Values, beside.Values[0]] }),
                () => decoder.Load(0, beside with { Keys = [.. beside.Keys.SkipLast(1), beside.Keys[0][1..]] }),
                () => decoder.Load(0, beside with { Values = [.. beside.Values.SkipLast(1), []] }),
            ],
            refused => Assert.Throws<ArgumentException>(refused));
        Assert.Equal(logits, decoder.Logits(1).ToArray());
        Assert.Equal((2, 1), (decoder.Length(0), decoder.Length(1)));
        AssertSame(before, decoder.Save(0));
        AssertSame(beside, decoder.Save(1));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Only_what_was_read_last_has_logits(bool tensors)
    {
        using var model = Load();
        using IDecoder decoder = tensors ? new TensorDecoder(model, 3) : new CpuDecoder(model, 3);
        Refuse(0, 3, -1);
        decoder.Step([0, 2], [5, 6]);
        Refuse(1);
        decoder.Clear(0);
        Refuse(0);
        decoder.Load(2, decoder.Save(2));
        Refuse(2);
        decoder.Step([0, 2], [5, 6]);
        decoder.Prefill(1, [7, 8]);
        Refuse(0, 2);
        Assert.Equal(60, decoder.Logits(1).Length);

        void Refuse(params int[] slots) => Assert.All(slots, slot => Assert.Throws<ArgumentException>(() => decoder.Logits(slot)));
    }

    [Fact]
    public void A_model_with_adapters_is_left_to_tensors()
    {
        using var model = Load();
        using var adapted = Load().WithAdapters(new LoraConfig(2, 4, ["*.q_proj.weight"]), 1);
        Assert.Equal("it has adapters", CudaDecoder.Unfit(adapted));
        Assert.NotEqual("it has adapters", CudaDecoder.Unfit(model));
        using var decoder = Decoders.Open(adapted, 1);
        Assert.IsType<TensorDecoder>(decoder);
    }

    private static void AssertSame(SlotState expected, SlotState actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.Equal(expected.Keys, actual.Keys);
        Assert.Equal(expected.Values, actual.Values);
    }

    private CausalLM Load()
    {
        string path = _folder[Guid.NewGuid().ToString("N")];
        new TinyModel(new TinyShape { HybridLayers = [] }).Save(path);
        using var folder = ModelFolder.Open(path);
        return folder.Load(CPU, ScalarType.Float32);
    }
}
