using T2R.Data;
using T2R.Evaluation;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Evaluation;

public class StreamPerplexityTests
{
    private static readonly ushort[] Ids = [.. Enumerable.Range(0, 4200).Select(i => (ushort)(((i * i * 7) + (3 * i)) % 60))];

    [Theory]
    [InlineData("recurrent")]
    [InlineData("hybrid")]
    public void It_is_that_of_the_whole_text_read_as_one_by_position(string kind)
    {
        var plain = new TinyModel(new TinyShape { HybridLayers = kind == "hybrid" ? [1] : [], Window = 30 });
        using var folder = new TemporaryFolder();
        plain.Save(folder["m"]);
        using var opened = ModelFolder.Open(folder["m"]);
        using var model = opened.Load(CPU, ScalarType.Float32);
        var text = new TokenStream(Ids, 1);
        var heard = new List<StageProgress>();
        long before = TensorCount.Settled();

        var measured = StreamPerplexity.Of(model, text, 4100, new Heard(heard), TestContext.Current.CancellationToken);

        Assert.Equal(before, Tensor.TotalCount);
        double[][] logits = new ReferenceModel(plain).Logits([.. Ids.Take(4099).Select(id => (long)id)]);
        double[] losses = [.. logits.Select((row, t) => -Math.Log(ReferenceMath.Softmax(row)[Ids[t + 1]]))];
        Assert.Equal(4099, measured.Whole.Predictions);
        Assert.Equal(losses.Average(), measured.Whole.Loss, 1e-5);
        Assert.Equal([(1, 511), (512, 1023), (1024, 2047), (2048, 4095), (4096, 4099)], measured.Positions.Select(p => (p.First, p.Last)));
        foreach (var position in measured.Positions)
        {
            // The first prediction has one token before it.
            double[] own = losses[(int)(position.First - 1)..(int)position.Last];
            Assert.Equal(own.Length, position.Perplexity.Predictions);
            Assert.Equal(own.Average(), position.Perplexity.Loss, 1e-5);
        }

        Assert.Equal([2048, 4096, 4099], heard.Select(h => h.Done));
    }

    [Fact]
    public void A_text_of_two_tokens_is_one_prediction_and_one_of_one_none()
    {
        using var folder = new TemporaryFolder();
        new TinyModel(new TinyShape { HybridLayers = [] }).Save(folder["m"]);
        using var opened = ModelFolder.Open(folder["m"]);
        using var model = opened.Load(CPU, ScalarType.Float32);
        var text = new TokenStream([.. Ids[..2]], 1);
        var measured = StreamPerplexity.Of(model, text, long.MaxValue, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal((1, 1), (measured.Whole.Predictions, measured.Positions.Single().Last));
        Assert.Throws<ArgumentOutOfRangeException>(() => StreamPerplexity.Of(model, text, 1, cancellation: TestContext.Current.CancellationToken));
    }

    private sealed class Heard(List<StageProgress> all) : IProgress<StageProgress>
    {
        public void Report(StageProgress value) => all.Add(value);
    }
}
