using T2R.Generation.Decoding;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Generation.Decoding;

public sealed class TensorDecoderTests : IDisposable
{
    private static readonly TinyShape Recurrent = new() { HybridLayers = [] }, Hybrid = new() { HybridLayers = [1], Window = 6 }, Transformer = new();

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Kinds => ["recurrent", "hybrid", "transformer"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_logit_is_the_references(string kind)
    {
        var (plain, model) = Load(kind);
        using var _ = model;
        using var decoder = new TensorDecoder(model, slots: 2);
        int[] ids = [1, 5, 17, 33, 8, 40, 3, 3, 59, 20];
        double[][] expected = new ReferenceModel(plain).Logits([.. ids.Select(id => (long)id)]);
        decoder.Prefill(1, ids.AsSpan(0, 6));
        AssertClose(expected[5], decoder.Logits(1));
        for (int i = 6; i < ids.Length; i++)
        {
            decoder.Step([1], [ids[i]]);
            AssertClose(expected[i], decoder.Logits(1));
        }

        Assert.Equal((0, ids.Length), (decoder.Length(0), decoder.Length(1)));
    }

    [Fact]
    public void Pieces_read_as_one_text()
    {
        var (plain, model) = Load("recurrent");
        using var _ = model;
        using var decoder = new TensorDecoder(model, slots: 1);
        int[] ids = [.. Enumerable.Range(0, decoder.PrefillLength + 70).Select(i => ((i * i) + (7 * i)) % 60)];
        decoder.Prefill(0, ids.AsSpan(0, decoder.PrefillLength));
        decoder.Prefill(0, ids.AsSpan(decoder.PrefillLength));
        AssertClose(new ReferenceModel(plain).Logits([.. ids.Select(id => (long)id)])[^1], decoder.Logits(0));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_a_slot_gives_does_not_depend_on_the_others_to_the_bit(string kind)
    {
        var (_, model) = Load(kind);
        using var _2 = model;
        using TensorDecoder alone = new(model, slots: 1), among = new(model, slots: 4);
        among.Prefill(0, [9, 8, 7]);
        alone.Prefill(0, [4, 5, 6]);
        among.Prefill(2, [4, 5, 6]);
        Assert.Equal(alone.Logits(0), among.Logits(2));
        among.Prefill(3, [50]);
        foreach (int id in new[] { 10, 20, 30 })
        {
            alone.Step([0], [id]);
            among.Step([3, 2, 0], [id + 1, id, id + 2]);
            Assert.Equal(alone.Logits(0), among.Logits(2));
            among.Step([3], [id]);
        }
    }

    [Fact]
    public void A_state_goes_on_in_any_slot_as_if_nothing_had_happened()
    {
        var (_, model) = Load("recurrent");
        using var _2 = model;
        using TensorDecoder straight = new(model, slots: 1), other = new(model, slots: 2);
        foreach (int[] read in (int[][])[[], [7], [.. Enumerable.Range(0, 100).Select(i => i % 60)]])
        {
            straight.Clear(0);
            if (read.Length > 0)
            {
                straight.Prefill(0, read);
            }

            SlotState saved = straight.Save(0);
            straight.Prefill(0, [11, 12, 13]);
            straight.Step([0], [14]);
            other.Prefill(1, [1, 2, 3]);
            other.Load(1, saved);
            Assert.Equal(read.Length, other.Length(1));
            other.Prefill(1, [11, 12, 13]);
            other.Step([1], [14]);
            Assert.Equal(straight.Logits(0), other.Logits(1));
            Assert.Equal(straight.Save(0).Keys[1], other.Save(1).Keys[1]);
        }
    }

    [Fact]
    public void A_recurrent_state_does_not_grow()
    {
        var (_, model) = Load("recurrent");
        using var _2 = model;
        using var decoder = new TensorDecoder(model, slots: 1);
        decoder.Prefill(0, [1, 2, 3]);
        long bytes = decoder.StateBytes(0);
        decoder.Prefill(0, [.. Enumerable.Repeat(5, 1000)]);
        Assert.Equal(StateSize.Bytes(model.Config, 1003, 4), bytes);
        Assert.Equal(bytes, decoder.StateBytes(0));
    }

    [Fact]
    public void Clear_empties_a_slot_and_no_other()
    {
        var (_, model) = Load("hybrid");
        using var _2 = model;
        using var decoder = new TensorDecoder(model, slots: 2);
        decoder.Prefill(0, [3, 4]);
        float[] first = decoder.Logits(0).ToArray();
        decoder.Prefill(1, [9, 9]);
        decoder.Clear(0);
        Assert.Equal((0, 2), (decoder.Length(0), decoder.Length(1)));
        decoder.Prefill(0, [3, 4]);
        Assert.Equal(first, decoder.Logits(0));
    }

    [Fact]
    public void What_grows_can_be_neither_saved_nor_loaded()
    {
        var (_, model) = Load("recurrent");
        using var _2 = model;
        using var decoder = new TensorDecoder(model, slots: 1);
        SlotState state = decoder.Save(0);
        var (_, hybrid) = Load("hybrid");
        using var _3 = hybrid;
        using var growing = new TensorDecoder(hybrid, slots: 1);
        Assert.Throws<NotSupportedException>(() => growing.Save(0));
        Assert.Throws<ArgumentException>(() => growing.Load(0, state));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void No_tensor_is_left_behind(string kind)
    {
        var (_, model) = Load(kind);
        using var _2 = model;
        long before = TensorCount.Settled();
        using (var decoder = new TensorDecoder(model, slots: 3))
        {
            decoder.Prefill(1, [3, 4]);
            decoder.Step([0, 1], [5, 6]);
            long during = Tensor.TotalCount;
            for (int i = 0; i < 20; i++)
            {
                decoder.Step([0, 1], [5, 6]);
                decoder.Prefill(2, [1, 2, 3]);
                if (model.Config.IsRecurrent)
                {
                    decoder.Load(1, decoder.Save(2));
                }

                decoder.Clear(2);
            }

            Assert.InRange(Tensor.TotalCount, 0, during);
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    private static void AssertClose(double[] expected, ReadOnlySpan<float> logits)
    {
        using var scope = NewDisposeScope();
        LogitsAssert.Close([expected], tensor(logits.ToArray(), [1, logits.Length]));
    }

    private (TinyModel Plain, CausalLM Model) Load(string kind)
    {
        var plain = new TinyModel(kind switch { "recurrent" => Recurrent, "hybrid" => Hybrid, _ => Transformer });
        plain.Save(_folder[kind]);
        using var folder = ModelFolder.Open(_folder[kind]);
        return (plain, folder.Load(CPU, ScalarType.Float32));
    }
}
