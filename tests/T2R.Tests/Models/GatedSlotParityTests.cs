using T2R.Generation;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.GatedSlot;
using T2R.Tests.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Models;

public sealed class GatedSlotParityTests : IDisposable
{
    // Longer than a chunk of 64.
    private static readonly long[] Ids = [.. Enumerable.Range(0, 75).Select(i => (long)((i * i * 7) + (3 * i)) % 60)];

    private readonly TemporaryFolder _folder = new();
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(GatedSlotForm.Chunk)]
    [InlineData(GatedSlotForm.Recurrent)]
    [InlineData(GatedSlotForm.Reference)]
    public void A_recurrent_folder_gives_the_reference_logits_in_every_form(GatedSlotForm form)
    {
        var (model, loaded) = Load(new TinyShape { HybridLayers = [] });
        using var _ = loaded;
        AssertParity(model, loaded, form);
    }

    [Theory]
    [InlineData(GatedSlotForm.Chunk)]
    [InlineData(GatedSlotForm.Recurrent)]
    [InlineData(GatedSlotForm.Reference)]
    public void A_hybrid_folder_with_a_window_gives_the_reference_logits_in_every_form(GatedSlotForm form)
    {
        var (model, loaded) = Load(new TinyShape { HybridLayers = [1, 3], Layers = 4, Window = 9, Tau = 3, Tied = true });
        using var _ = loaded;
        AssertParity(model, loaded, form);
    }

    [Fact]
    public void A_hybrid_folder_with_scaled_positions_gives_the_reference_logits()
    {
        var (model, loaded) = Load(new TinyShape { HybridLayers = [0, 2], Theta = 100, Scaling = new Llama3RopeScaling(8, 1, 4, 40) });
        AssertParity(model, loaded, GatedSlotForm.Chunk);
    }

    [Fact]
    public void Texts_of_a_batch_do_not_see_each_other()
    {
        var (model, loaded) = Load(new TinyShape { HybridLayers = [2] });
        using var _ = loaded;
        long[] other = [.. Ids.Reverse()];
        foreach (var form in Enum.GetValues<GatedSlotForm>())
        {
            using var logits_2TV = AllLogits.Of(loaded, tensor((long[])[.. Ids, .. other], [2, Ids.Length]), form, cancellation: TestContext.Current.CancellationToken);
            LogitsAssert.Close(new ReferenceModel(model).Logits(Ids), logits_2TV[0]);
            LogitsAssert.Close(new ReferenceModel(model).Logits(other), logits_2TV[1]);
        }
    }

    [Theory]
    [InlineData(GatedSlotForm.Chunk)]
    [InlineData(GatedSlotForm.Recurrent)]
    [InlineData(GatedSlotForm.Reference)]
    public void A_document_start_makes_what_follows_a_text_of_its_own(GatedSlotForm form)
    {
        var (model, loaded) = Load(new TinyShape { HybridLayers = [1] });
        using var _ = loaded;
        int[] starts = [0, 1, 30, 66];
        Tensor documentStarts = zeros([1, Ids.Length], ScalarType.Bool);
        foreach (int start in starts)
        {
            documentStarts[0, start] = true;
        }

        using var context = new SequenceContext(1, Ids.Length, CPU, documentStarts, form: form);
        Tensor logits_TV = loaded.Forward(tensor(Ids, [1, Ids.Length]), context)[0];
        for (int i = 0; i < starts.Length; i++)
        {
            int end = i + 1 < starts.Length ? starts[i + 1] : Ids.Length;
            LogitsAssert.Close(new ReferenceModel(model).Logits(Ids[starts[i]..end]), logits_TV[TensorIndex.Slice(starts[i], end)]);
        }
    }

    [Theory]
    [InlineData(1, 74)]
    [InlineData(64, 11)]
    [InlineData(33, 1, 40, 1)]
    public void A_text_read_in_pieces_gives_the_logits_of_the_whole(params int[] pieces)
    {
        var (model, loaded) = Load(new TinyShape { HybridLayers = [0], Window = 20 });
        using var _ = loaded;
        using var state = loaded.CreateState(1);
        var parts = new List<Tensor>();
        int start = 0;
        foreach (int length in pieces)
        {
            var form = length == 1 ? GatedSlotForm.Recurrent : GatedSlotForm.Chunk;
            parts.Add(loaded.Continue(tensor(Ids[start..(start + length)], [1, length]), state, form, lastOnly: false));
            start += length;
        }

        Assert.Equal(Ids.Length, state.Length);
        LogitsAssert.Close(new ReferenceModel(model).Logits(Ids), cat(parts, 1)[0]);
    }

    [Fact]
    public void A_model_in_double_keeps_its_state_in_double()
    {
        var model = new TinyModel(new TinyShape { HybridLayers = [] });
        model.Save(_folder["m"]);
        using var opened = ModelFolder.Open(_folder["m"]);
        using var loaded = opened.Load(CPU, ScalarType.Float64);
        using var state = loaded.CreateState(1);
        double[] last = [];
        foreach (long id in Ids)
        {
            last = [.. loaded.Continue(tensor((long[])[id], [1, 1]), state, GatedSlotForm.Recurrent).data<double>()];
        }

        double difference = new ReferenceModel(model).Logits(Ids)[^1].Zip(last, (e, a) => Math.Abs(e - a)).Max();
        Assert.True(difference < 1e-10, $"logits differ by {difference:g3}");
    }

    [Fact]
    public void The_state_of_a_recurrent_model_keeps_its_size_and_that_of_a_transformer_grows()
    {
        var (_, recurrent) = Load(new TinyShape { HybridLayers = [] });
        using var __ = recurrent;
        using var state = recurrent.CreateState(1);
        long empty = state.ByteCount;
        recurrent.Continue(tensor(Ids, [1, Ids.Length]), state, GatedSlotForm.Chunk);
        Assert.Equal(3 * 2 * 2 * 8 * 6 * sizeof(float), empty);
        Assert.Equal(empty, state.ByteCount);

        var (_, transformer) = Load(new TinyShape());
        using var ___ = transformer;
        using var cache = transformer.CreateState(1);
        transformer.Continue(tensor(Ids, [1, Ids.Length]), cache, GatedSlotForm.Chunk);
        Assert.True(cache.ByteCount >= 3 * 2 * 2 * 8 * Ids.Length * sizeof(float));
    }

    private (TinyModel Model, CausalLM Loaded) Load(TinyShape shape)
    {
        var model = new TinyModel(shape);
        model.Save(_folder["m"]);
        using var opened = ModelFolder.Open(_folder["m"]);
        Assert.Empty(opened.Warnings);
        return (model, opened.Load(CPU, ScalarType.Float32));
    }

    private static void AssertParity(TinyModel model, CausalLM loaded, GatedSlotForm form)
    {
        using var logits_1TV = AllLogits.Of(loaded, tensor(Ids, [1, Ids.Length]), form);
        LogitsAssert.Close(new ReferenceModel(model).Logits(Ids), logits_1TV[0]);
    }
}
