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
        Near(56.3, Options);
        Near(66.9, Options with { Recompute = RecomputePolicy.Selective });
        Near(42.9, EightBit);
        Near(31.2, InBackward);
        Near(29.4, InBackward with { OffloadInputs = true });
        Assert.InRange(Total(InBackward with { OffloadInputs = true, Optimizer = InBackward.Optimizer with { Offload = true } }), 15.9, 16.5);
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

    [Fact]
    public void A_block_that_is_not_alike_may_be_the_one_that_needs_most()
    {
        var mixers = Config.Mixers.ToBuilder();
        mixers[0] = mixers[31] = new SoftmaxAttentionConfig(4, 4, 128, 10000, null);
        var plan = MemoryPlan.Of(Config with { Mixers = mixers.ToImmutable() }, InBackward, ScalarType.BFloat16, teacher: null, Card80);
        Assert.Equal("in the backward of block 30's MLP", plan.Moment);
    }

    [Fact]
    public void Graphs_that_are_kept_keep_their_inputs()
    {
        var plan = Plan(InBackward with { Recompute = RecomputePolicy.None });
        Assert.Equal(32L * 8192 * 4096 * 2, plan.Parts.Single(p => p.Name == "block inputs").Bytes);
    }

    [Fact]
    public void A_teacher_that_is_followed_has_logits_and_a_residual_stream()
    {
        // One layer, and a vocabulary that makes the loss hold most.
        var config = Config with { Mixers = [Config.Mixers[0]], VocabularySize = 1 << 18 };
        var options = InBackward with { Stages = [new TrainingStage("norm") { Trained = ["norm.weight"] }] };
        var alone = MemoryPlan.Of(config, options, ScalarType.BFloat16, teacher: null, Card80);
        var imitated = MemoryPlan.Of(config, options, ScalarType.BFloat16, config, Card80);
        var followed = MemoryPlan.Of(config, options with { Distillation = new DistillationOptions() }, ScalarType.BFloat16, config, Card80);
        Assert.All(new[] { alone, imitated, followed }, p => Assert.Equal("in the loss", p.Moment));
        Assert.Equal(2L << 27, Part(alone, "logits"));
        Assert.Equal(2L << 27, Part(imitated, "logits"));
        Assert.Equal(4L << 27, Part(followed, "logits"));
        Assert.Equal(8192L * 4096 * 2, Part(followed, "workspace") - Part(imitated, "workspace"));
    }

    private static long Part(MemoryPlan plan, string name) => plan.Parts.Single(p => p.Name == name).Bytes;

    private static void Near(double measured, TrainingOptions options) => Assert.InRange(Total(options), measured - 0.45, measured + 0.45);

    private static MemoryPlan Plan(TrainingOptions options) => MemoryPlan.Of(Config, options, ScalarType.BFloat16, teacher: null, Card80);

    private static double Total(TrainingOptions options) => Plan(options).Total / GiB;
}
