using System.Text.Json;
using T2R.Checkpoints;
using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Generation.Serving;
using T2R.Models;
using T2R.Ops.GatedSlot;
using T2R.Tokenization;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Models;

/// <summary>A real trained model, when it is there.</summary>
public class StoriesTests
{
    private static readonly TinyShape Shape = new()
    {
        Hidden = 64, Heads = 8, KeyValueHeads = 4, HeadDim = 8, Intermediate = 172, Vocabulary = 512, Layers = 5, Tied = true,
    };

    [Theory]
    [InlineData(GatedSlotForm.Chunk)]
    [InlineData(GatedSlotForm.Recurrent)]
    public void Its_logits_are_the_reference_logits(GatedSlotForm form)
    {
        string folder = SharedData.Path("stories260K");
        long[] ids = [.. GreedyIds(folder).Select(id => (long)id)];
        using var scope = NewDisposeScope();
        using var opened = ModelFolder.Open(folder);
        using var model = opened.Load(CPU, ScalarType.Float32);
        using var logits_1TV = AllLogits.Of(model, tensor(ids, [1, ids.Length]), form, cancellation: TestContext.Current.CancellationToken);
        LogitsAssert.Close(new ReferenceModel(Shape, Stored(folder)).Logits(ids), logits_1TV[0]);
    }

    [Fact]
    public void Its_greedy_continuation_is_the_expected_one_in_ids_and_in_text()
    {
        string folder = SharedData.Path("stories260K");
        int[] expected = GreedyIds(folder);
        using var opened = ModelFolder.Open(folder);
        using var model = opened.Load(CPU, ScalarType.Float32);
        using var engine = new Engine(new TensorDecoder(model, slots: 1), TokenizerFolder.Open(folder));
        var request = new GenerationRequest { Prompt = [1], Sampling = new SamplingOptions { Temperature = 0 }, MaxNewTokens = expected.Length - 1 };
        GenerationToken[] tokens = [.. engine.Submit(request, TestContext.Current.CancellationToken).Tokens.ToBlockingEnumerable(TestContext.Current.CancellationToken)];
        Assert.Equal(expected[1..], tokens.Select(t => t.Id));
        Assert.Equal(File.ReadAllText(Path.Combine(folder, "expected_greedy.txt")), string.Concat(tokens.Select(t => t.Text)) + "\n");
    }

    private static int[] GreedyIds(string folder) => JsonSerializer.Deserialize<int[]>(File.ReadAllText(Path.Combine(folder, "greedy_ids.json")))!;

    private static Func<string, double[]> Stored(string folder)
    {
        using var scope = NewDisposeScope();
        using var checkpoint = CheckpointFolder.Open(folder);
        var weights = checkpoint.Entries.Keys.ToDictionary(name => name, name => checkpoint.Read(name).to(ScalarType.Float64).data<double>().ToArray());
        return name => weights[name];
    }
}
