using T2R.Data;
using T2R.Evaluation;
using T2R.Mixers;
using T2R.Tests.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Evaluation;

public class PerplexityTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void It_is_the_exponential_of_the_mean_cross_entropy_over_all_predictions(bool reset)
    {
        using var scope = NewDisposeScope();
        using var model = Tiny.Model(Tiny.Config(true, Tiny.Softmax, Tiny.Slots), 1);
        var windows = new PackedWindows(Tiny.Text(3), 50, 0);
        double sum = 0;
        foreach (var batch in windows.Sequential(5))
        {
            using var context = new SequenceContext(1, 50, CPU, reset ? batch.DocumentStarts : null);
            var logp = model.Forward(batch.Ids, context).log_softmax(-1);
            for (int t = 0; t < 49; t++)
            {
                sum -= logp[0, t, batch.Ids[0, t + 1].item<long>()].item<float>();
            }
        }

        var measured = Perplexity.Of(model, windows.Sequential(5, batchSize: 2), reset);
        Assert.Equal(5 * 49, measured.Predictions);
        Assert.Equal(sum / (5 * 49), measured.Loss, 1e-5);
        Assert.Equal(Math.Exp(measured.Loss), measured.Value);
    }
}
