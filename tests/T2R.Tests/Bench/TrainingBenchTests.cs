using T2R.Bench;
using T2R.Mixers;
using T2R.Models;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Bench;

public class TrainingBenchTests
{
    private static readonly ModelConfig Config = new()
    {
        VocabularySize = 512,
        HiddenSize = 32,
        IntermediateSize = 64,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = false,
        MaxPositionEmbeddings = 64,
        Mixers = [new GatedSlotAttentionConfig(4, 2, 8, 16), new SoftmaxAttentionConfig(4, 2, 8, 10000, null)],
    };

    public static TheoryData<TrainingOptions> Options =>
    [
        new TrainingOptions { Steps = 9, WindowLength = 32, MicroBatchSize = 2, AccumulationSteps = 2, Recompute = RecomputePolicy.Full },
        new TrainingOptions { Steps = 9, WindowLength = 32, MicroBatchSize = 4, Optimizer = new AdamWOptions { InBackward = true } },
        new TrainingOptions { Steps = 9, WindowLength = 32, MicroBatchSize = 4, Distillation = new DistillationOptions { Weight = 0.5 } },
        new TrainingOptions { Steps = 9, WindowLength = 32, MicroBatchSize = 4, Fp8 = true },
        new TrainingOptions { Steps = 9, WindowLength = 32, MicroBatchSize = 4, Lora = new LoraConfig(4, 8, ["blocks.*.mixer.q_proj.weight"]) },
    ];

    [Fact]
    public void The_model_that_is_checked_has_a_mixer_of_each_kind()
    {
        var (slots, softmax) = (Config.Mixers[0], Config.Mixers[1]);
        Assert.Equal([softmax, slots], GradientCheck.Small(Config with { Mixers = [softmax, softmax, slots] }).Mixers);
        Assert.Equal([slots, slots], GradientCheck.Small(Config with { Mixers = [slots, slots, slots] }).Mixers);
    }

    [Theory]
    [MemberData(nameof(Options))]
    public void Steps_begin_at_the_logarithm_of_the_vocabulary(TrainingOptions options)
    {
        var heard = new List<TrainingBenchStep>();
        var setup = Setup(options);
        var result = TrainingBench.Run(setup, 4, heard.Add);
        Assert.Equal(result.Steps, heard);
        Assert.Equal(4, result.Steps.Count);
        Assert.Equal(128, result.TokensPerStep);

        // Half of a distillation's loss is a divergence of almost nothing.
        Assert.Equal(Math.Log(512) * (options.Distillation is null ? 1 : 0.5), result.FirstLoss, 0.15);
        Assert.All(result.Steps, s => Assert.True(s is { Seconds: > 0, HostBytes: > 0, DeviceBytes: 0 } && double.IsFinite(s.Loss)));
    }

    [Fact]
    public void Weights_are_trained()
    {
        var options = new TrainingOptions { Steps = 40, WindowLength = 32, MicroBatchSize = 8, Optimizer = new AdamWOptions { LearningRate = 0.05 } };
        var losses = TrainingBench.Run(Setup(options), 10).Steps.Select(s => s.Loss).ToList();
        Assert.True(losses.Distinct().Count() == losses.Count && Math.Abs(losses[^1] - losses[0]) > 0.05, string.Join(", ", losses));
    }

    [Fact]
    public void Losses_that_are_not_finite_are_refused()
    {
        var options = new TrainingOptions { Steps = 9, WindowLength = 32, MicroBatchSize = 4, ClipNorm = 0, Optimizer = new AdamWOptions { LearningRate = 1e38 } };
        Assert.Contains("the loss of step 3 is NaN", Assert.Throws<WrongResultException>(() => TrainingBench.Run(Setup(options), 4)).Message);
    }

    [Fact]
    public void The_check_of_gradients_passes_in_bf16_and_names_loss_and_weights()
    {
        var agreements = TrainingBench.Check(Setup(new TrainingOptions { Steps = 9, Recompute = RecomputePolicy.Selective }, ScalarType.BFloat16));
        Assert.Contains("loss", agreements.Keys);
        Assert.Contains("blocks.1.mixer.q_proj.weight", agreements.Keys);
        Assert.All(agreements.Values, a => Assert.InRange(a.Cosine, 0.999, 1 + 1e-12));
        Assert.Contains(agreements.Values, a => a.Error > 1e-3);
    }

    [Fact]
    public void Speed_is_that_of_the_median_step_without_the_first_two()
    {
        TrainingBenchStep[] steps = [.. new[] { 100.0, 50, 1, 4, 2 }.Select(s => new TrainingBenchStep(s, 1, 0, 0))];
        Assert.Equal(500, new TrainingBenchResult(steps, 1000, 0).TokensPerSecond);
        Assert.Equal(20, new TrainingBenchResult(steps[..2], 1000, 0).TokensPerSecond);
        Assert.Equal(10, new TrainingBenchResult(steps[..1], 1000, 0).TokensPerSecond);
    }

    private static TrainingSetup Setup(TrainingOptions options, ScalarType dtype = ScalarType.Float32) =>
        new(Config, options.Distillation is null ? null : Config, options, dtype, CPU);
}
