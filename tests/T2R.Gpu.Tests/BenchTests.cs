using T2R.Bench;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>Benches of small shapes from their checks to their figures.</summary>
public class BenchTests
{
    private static readonly CardRates Rates = new(1e12, 1e14);

    [Fact(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    public void A_block_is_compared_and_timed()
    {
        var found = BlockBench.Run(new BlockShape(2, 256, 256, 704, 8, 2, 32, 32), Rates, times: 3, _ => { });
        Assert.Equal(["forward", "forward + backward"], found.Lines.Select(l => l.Name));
        Assert.All(found.Lines, l => Assert.True(l is { Seconds: > 0, FloorSeconds: > 0 }));
    }

    [Theory(Skip = "no CUDA device", SkipUnless = nameof(Gpu.Present), SkipType = typeof(Gpu))]
    [InlineData(RecomputePolicy.Full, true)]
    [InlineData(RecomputePolicy.Selective, false)]
    public void Steps_are_compared_and_timed(RecomputePolicy policy, bool inBackward)
    {
        var options = new TrainingOptions
        {
            Steps = 9,
            WindowLength = 128,
            MicroBatchSize = 2,
            Recompute = policy,
            Optimizer = new AdamWOptions { Name = OptimizerName.AdamWBf16, InBackward = inBackward },
        };
        var setup = new TrainingSetup(TrainedModel.Config, Teacher: null, options, ScalarType.BFloat16, CUDA);
        Assert.Contains("loss", TrainingBench.Check(setup).Keys);
        var result = TrainingBench.Run(setup, 4);
        Assert.Equal(Math.Log(TrainedModel.Config.VocabularySize), result.FirstLoss, 0.3);
        Assert.True(result.PeakBytes > 0 && result.Steps.All(s => s.DeviceBytes > 0));
    }
}
