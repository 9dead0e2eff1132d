using T2R.Conversion;
using T2R.Mixers;
using T2R.Models;
using T2R.Training;
using T2R.Training.Memory;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training.Memory;

public class MemoryPlanTests
{
    private const double GiB = 1L << 30;

    private static readonly CardMemory Card80 = CardMemory.Imagined((long)(79.2 * GiB));

    // The shape of Mistral-7B with every layer replaced.
    private static readonly ModelConfig Config = RandomModel.Presets["mistral-7b"] with
    {
        Mixers = [.. Enumerable.Repeat<MixerConfig>(new GatedSlotAttentionConfig(32, 8, 128, 64), 32)],
    };

    private static readonly TrainingOptions Options = new()
    {
        Steps = 10, WindowLength = 2048, MicroBatchSize = 4, Recompute = RecomputePolicy.Full, Optimizer = new AdamWOptions { Name = OptimizerName.AdamWBf16 },
    };

    private static readonly TrainingOptions EightBit = Options with { Optimizer = Options.Optimizer with { Name = OptimizerName.AdamW8Bit } };

    private static readonly TrainingOptions InBackward = EightBit with { Optimizer = EightBit.Optimizer with { InBackward = true } };

    [Fact]
    public void The_ladder_of_a_7B_training_is_what_an_H100_was_measured_to_hold()
    {
        Near(56.9, Options);
        Near(43.5, EightBit);
        Near(54.3, EightBit with { Recompute = RecomputePolicy.Selective });
        Near(31.8, InBackward);
        Near(30.0, InBackward with { OffloadInputs = true });
        Near(16.5, InBackward with { OffloadInputs = true, Optimizer = InBackward.Optimizer with { Offload = true } });
        Assert.InRange(Total(Options with { Optimizer = Options.Optimizer with { Name = OptimizerName.AdamW } }), 109, 113);
        Assert.Equal(13.6, Plan(Options).Parts.Single(p => p.Name == "weights").Bytes / GiB, 0.05);
        Assert.Equal(27.2, Plan(Options).Parts.Single(p => p.Name == "moments").Bytes / GiB, 0.05);
    }

    [Fact]
    public void Selective_recomputation_records_as_many_blocks_as_fit()
    {
        Assert.Equal(32, Plan(InBackward with { Recompute = RecomputePolicy.Selective }).RecordedBlocks);
        var some = Plan(Options with { Recompute = RecomputePolicy.Selective, MicroBatchSize = 8 });
        Assert.InRange(some.RecordedBlocks, 1, 31);
        Assert.True(some.Fits(Card80));
        Assert.Equal(0, Plan(Options).RecordedBlocks);
    }

    [Fact]
    public void Accumulating_micro_batches_holds_their_sum_in_fp32()
    {
        var one = Plan(EightBit).Parts.Single(p => p.Name == "gradients").Bytes;
        var two = Plan(EightBit with { AccumulationSteps = 2 }).Parts.Single(p => p.Name == "gradients").Bytes;
        Assert.InRange(two / (double)one, 1.95, 2.1);
    }

    private static void Near(double measured, TrainingOptions options) => Assert.InRange(Total(options) / measured, 0.97, 1.03);

    private static MemoryPlan Plan(TrainingOptions options) => MemoryPlan.Of(Config, options, ScalarType.BFloat16, teacher: null, Card80);

    private static double Total(TrainingOptions options) => Plan(options).Total / GiB;
}
