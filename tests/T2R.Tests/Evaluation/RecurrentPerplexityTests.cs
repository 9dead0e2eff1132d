using T2R.Data;
using T2R.Evaluation;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Evaluation;

public class RecurrentPerplexityTests
{
    // BOS, id 1, begins documents inside windows and at the start of one.
    private static readonly int[] Ids = [.. Enumerable.Range(0, 100).Select(i => i % 23 == 0 ? 1 : 2 + (((i * i * 7) + (3 * i)) % 58))];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void It_is_that_of_the_reference_and_of_the_chunk_form(bool resetAtDocuments)
    {
        var plain = new TinyModel(new TinyShape { HybridLayers = [1], Window = 11 });
        using var folder = new TemporaryFolder();
        plain.Save(folder["m"]);
        using var opened = ModelFolder.Open(folder["m"]);
        using var model = opened.Load(CPU, ScalarType.Float32);
        long before = TensorCount.Settled();
        var windows = new PackedWindows(new TokenStream([.. Ids.Select(id => (ushort)id)], 1), 30, seed: 0);

        var heard = new Reports();
        Perplexity decoding = RecurrentPerplexity.Of(model, windows, count: 5, batchSize: 2, resetAtDocuments, heard, TestContext.Current.CancellationToken);
        Perplexity chunk = Perplexity.Of(model, windows.Sequential(batchSize: 3), resetAtDocuments);

        Assert.Equal(before, Tensor.TotalCount);
        Assert.Equal(3 * 29, decoding.Predictions);
        Assert.Equal(Expected(plain, resetAtDocuments), decoding.Loss, 1e-5);
        Assert.Equal(chunk.Loss, decoding.Loss, 1e-5);
        Assert.Equal(chunk.Predictions, decoding.Predictions);

        // Two windows side by side, then the third: one count over all.
        Assert.Equal(Enumerable.Range(1, 29).Select(i => 2L * i).Concat(Enumerable.Range(1, 29).Select(i => 58L + i)), heard.All.Select(p => p.Done));
        Assert.All(heard.All, p => Assert.Equal(3 * 29, p.Total));
    }

    [Fact]
    public void Documents_kept_apart_measure_otherwise_than_documents_run_together()
    {
        var plain = new TinyModel(new TinyShape { HybridLayers = [1] });
        Assert.NotEqual(Expected(plain, true), Expected(plain, false), 1e-2);
    }

    [Fact]
    public void A_real_transformer_keeps_its_perplexity()
    {
        using var folder = ModelFolder.Open(SharedData.Path("lab/teacher"));
        using var model = folder.Load(CPU, ScalarType.Float32);
        var windows = new PackedWindows(TokenStream.FromFile(SharedData.Path("lab/valid.u16"), 1), 1024, seed: 0);
        Perplexity chunk = Perplexity.Of(model, windows.Sequential(4), resetAtDocuments: false);

        // Over the first 256 windows it is 29.25, as transformers measured; these four give 31.07.
        Assert.Equal(4 * 1023, chunk.Predictions);
        Assert.Equal(31.07, chunk.Value, 0.01);
    }

    private sealed class Reports : IProgress<StageProgress>
    {
        public List<StageProgress> All { get; } = [];

        public void Report(StageProgress value) => All.Add(value);
    }

    private static double Expected(TinyModel plain, bool resetAtDocuments)
    {
        double sum = 0;
        for (int window = 0; window < 3; window++)
        {
            long[] ids = [.. Ids.Skip(window * 30).Take(30).Select(id => (long)id)];
            int start = 0;
            double[][] logits = [];
            for (int t = 0; t < 29; t++)
            {
                start = resetAtDocuments && ids[t] == 1 ? t : start;
                logits = t == start ? new ReferenceModel(plain).Logits(ids[start..]) : logits;
                sum -= Math.Log(ReferenceMath.Softmax(logits[t - start])[ids[t + 1]]);
            }
        }

        return sum / (3 * 29);
    }
}
