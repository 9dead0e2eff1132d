using T2R.Conversion;
using T2R.Mixers;
using T2R.Models;
using T2R.Training;
using T2R.Training.Memory;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training.Memory;

public class MemoryAdviceTests
{
    private const double GiB = 1L << 30;

    // The shape of Mistral-7B with every layer replaced.
    private static readonly ModelConfig Config = RandomModel.Presets["mistral-7b"] with
    {
        Mixers = [.. Enumerable.Repeat<MixerConfig>(new GatedSlotAttentionConfig(32, 8, 128, 64), 32)],
    };

    private static readonly TrainingOptions Options = new() { Steps = 10, WindowLength = 2048, MicroBatchSize = 4, Recompute = RecomputePolicy.Full };

    private static readonly TrainingOptions InBackward = Options with { Optimizer = new AdamWOptions { Name = OptimizerName.AdamW8Bit, InBackward = true } };

    [Fact]
    public void An_optimizer_that_holds_less_is_named()
    {
        var advice = For(Options, 79.2);
        Assert.Equal("training.optimizer.name=adamw_bf16", advice[0].Settings);
        Assert.Equal("training.optimizer.name=adamw_8bit", advice[1].Settings);
        Assert.All(advice, a => Assert.InRange(a.Bytes, 1, (long)(79.2 * GiB)));
        Assert.Empty(For(Options, 8));
    }

    [Fact]
    public void No_advice_has_a_change_more_than_another_one()
    {
        var advice = For(Options, 79.2).Select(a => a.Settings.Split(' ')).ToList();
        Assert.All(advice, a => Assert.DoesNotContain(advice, b => b.Length < a.Length && b.All(a.Contains)));
    }

    [Fact]
    public void Graphs_that_do_not_fit_may_be_made_anew_in_part()
    {
        var advice = For(Options with { Recompute = RecomputePolicy.None, Optimizer = InBackward.Optimizer }, 45);
        Assert.Contains(advice, a => a.Settings == "training.recompute=selective");
        Assert.Contains(advice, a => a.Settings == "training.recompute=full");
    }

    [Theory]
    [InlineData(4, 1, 79.2)]
    [InlineData(32, 1, 36)]
    [InlineData(4, 256, 24)]
    [InlineData(6, 4, 40)]
    public void A_step_reads_as_much_as_before_where_that_fits(int windows, int parts, double card)
    {
        var options = Options with { MicroBatchSize = windows, AccumulationSteps = parts };
        Assert.NotEmpty(For(options, card));
        foreach (var advice in For(options, card))
        {
            var settings = advice.Settings.Split(' ').Select(s => s.Split('=')).ToDictionary(s => s[0], s => s[1]);
            int Value(string key, int otherwise) => settings.TryGetValue(key, out string? value) ? int.Parse(value, System.Globalization.CultureInfo.InvariantCulture) : otherwise;
            int newParts = Value("training.accumulation_steps", parts);
            Assert.Equal(2048L * Value("training.micro_batch_size", windows) * newParts, advice.TokensPerStep);
            Assert.False(settings.GetValueOrDefault("training.optimizer.in_backward") == "true" && newParts > 1, advice.Settings);
            Assert.Equal(parts < 256, advice.TokensPerStep == options.TokensPerStep);
        }
    }

    [Fact]
    public void Weights_that_step_in_the_backward_can_do_so_after_accumulation_instead()
    {
        // Small weights, many windows.
        var config = Config with { HiddenSize = 512, IntermediateSize = 1024, Mixers = [.. Enumerable.Repeat<MixerConfig>(new GatedSlotAttentionConfig(4, 4, 128, 64), 4)] };
        var options = InBackward with { MicroBatchSize = 512 };
        var advice = MemoryAdvice.For(config, options, ScalarType.BFloat16, null, CardMemory.Imagined((long)(5 * GiB)));
        Assert.NotEmpty(advice);
        Assert.All(advice, a => Assert.Equal(options.TokensPerStep, a.TokensPerStep));
        Assert.Contains(advice, a => a.Settings.Contains("in_backward=false", StringComparison.Ordinal));
    }

    private static IReadOnlyList<MemoryAdvice> For(TrainingOptions options, double card) =>
        MemoryAdvice.For(Config, options, ScalarType.BFloat16, null, CardMemory.Imagined((long)(card * GiB)));
}
