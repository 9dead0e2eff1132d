using T2R.Bench;
using T2R.Data;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.Fp8;
using T2R.Tests.Checkpoints;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training;

/// <summary>Training with products in FP8: near one without, and in everything else like it.</summary>
public class Fp8TrainingTests
{
    private static readonly MixerConfig Softmax = new SoftmaxAttentionConfig(Heads: 2, KeyValueHeads: 1, HeadDim: 16, RopeTheta: 10000, SlidingWindow: null);

    private static readonly MixerConfig Slots = new GatedSlotAttentionConfig(Heads: 2, KeyValueHeads: 1, HeadDim: 16, Slots: 16);

    private static readonly ModelConfig Hybrid = Config(Slots, Softmax);

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Gradients_of_a_step_are_near_those_in_fp32(ScalarType dtype)
    {
        var options = Tiny.Options(1) with { Fp8 = true, Recompute = RecomputePolicy.Selective };
        var agreements = GradientCheck.Run(GradientCheck.Small(Hybrid), options, CPU, dtype);
        Assert.All(agreements, a => Assert.True(a.Value is { Cosine: > 0.99, Error: < 0.15 }, $"{a.Key}: {a.Value}"));
        Assert.Contains(agreements, a => a.Value.Error > 0.02);
    }

    [Fact]
    public void What_is_computed_again_changes_no_bit()
    {
        using var scope = NewDisposeScope();
        using var model = Model(1);
        var expected = Gradients(RecomputePolicy.None);
        Assert.All(new[] { RecomputePolicy.Full, RecomputePolicy.Selective }, policy =>
            Assert.All(Gradients(policy).Zip(expected), p => Assert.True(p.First.equal(p.Second).all().item<bool>())));

        Tensor[] Gradients(RecomputePolicy policy)
        {
            var options = Options(1) with { Recompute = policy };
            using var gradients = new Gradients();
            using var scales = new Fp8Scales(2, CPU);
            using var stage = new StageRun(StagePlan.Of(options)[0], options, new TrainingInputs(model, Tiny.Text(1)), gradients, recorded: 1, scales);
            stage.Loss.Backward(Tiny.Batch(3, 16), 1).Dispose();
            return [.. model.Weights.Specs.Select(s => gradients[s.Name]!.clone())];
        }
    }

    [Fact]
    public void Fifty_steps_end_within_half_a_percent_of_fp32_s_loss()
    {
        double expected = Last(fp8: false), actual = Last(fp8: true);
        Assert.NotEqual(expected, actual);
        Assert.InRange(actual / expected, 0.995, 1.005);

        static double Last(bool fp8)
        {
            using var folder = new TemporaryFolder();
            using var model = new CausalLM(Hybrid, WeightSet.Random(Hybrid, 1, CPU));
            var options = Options(50) with { Fp8 = fp8, WindowLength = 32, MicroBatchSize = 8, EvaluationWindows = 16, KeepLast = 0 };
            var result = TrainerTests.Run(folder.Path, options, new TrainingInputs(model, Text(20_000, seed: 1), Text(3_000, seed: 2)));
            Assert.InRange(result.Evaluation!.EvaluationLoss, 1, 2);
            return result.Evaluation.EvaluationLoss;
        }

        // Three ids of four follow from the one before, so that the loss falls far, and comes to rest.
        static TokenStream Text(int length, int seed)
        {
            var random = new Random(seed);
            int[] ids = new int[length];
            for (int i = 0; i < length; i++)
            {
                ids[i] = i % 37 == 0 ? 1 : random.Next(4) == 0 ? random.Next(2, Tiny.Vocabulary) : 2 + (((ids[i - 1] * 5) + 3) % (Tiny.Vocabulary - 2));
            }

            return new TokenStream(ids, beginId: 1);
        }
    }

    [Theory]
    [InlineData(OptimizerName.AdamW, false, 3, 7)]
    [InlineData(OptimizerName.AdamW8Bit, true, 5)]
    public void A_stopped_run_ends_with_the_bytes_of_one_that_was_not(OptimizerName name, bool inBackward, params int[] stops)
    {
        using var straight = new TemporaryFolder();
        using var stopped = new TemporaryFolder();
        var options = Options(10) with
        {
            AccumulationSteps = inBackward ? 1 : 2,
            Optimizer = new AdamWOptions { Name = name, InBackward = inBackward, LearningRate = 5e-3 },
            Stages = [new TrainingStage("mixers") { Steps = 4, Objective = StageObjective.Mixers }, new TrainingStage("all")],
        };
        var expected = Train(straight.Path, stopAt: null);
        Assert.All(stops, stop => Assert.Null(Train(stopped.Path, stop)));
        Assert.Empty(Tiny.Changed(expected!, Train(stopped.Path, stopAt: null)!));

        // Nor could it have gone on without the scales.
        var error = Assert.Throws<UserErrorException>(() => Train(stopped.Path, stopAt: null, o => o with { Fp8 = false }));
        Assert.Contains("training.fp8 is false, but the run", Assert.Single(error.Problems));

        Dictionary<string, byte[]>? Train(string folder, int? stopAt, Func<TrainingOptions, TrainingOptions>? change = null)
        {
            using var model = Model(1);
            using var teacher = new CausalLM(Config(Softmax, Softmax), WeightSet.Random(Config(Softmax, Softmax), 2, CPU));
            using var stop = new CancellationTokenSource();
            try
            {
                var recorder = new Recorder(m => { if (m.Step == stopAt) { stop.Cancel(); } });
                TrainerTests.Run(folder, change is null ? options : change(options), new TrainingInputs(model, Tiny.Text(1), Teacher: teacher), recorder, stop);
                return Tiny.Bytes(model.Weights);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }
    }

    [Fact]
    public void A_checkpoint_holds_the_scales()
    {
        using var folder = new TemporaryFolder();
        using var model = Model(1);
        TrainerTests.Run(folder.Path, Options(3), new TrainingInputs(model, Tiny.Text(1)));
        using var file = T2R.Checkpoints.SafeTensorsFile.Open(Path.Combine(RunFolder.Checkpoints(folder.Path)[0], "optimizer.safetensors"));
        Assert.Equal([2 * 4 * 3], file[Fp8Scales.Name].Shape);
        using var running = file.Read(Fp8Scales.Name);
        Assert.All(running.data<float>(), r => Assert.True(r > 0));
    }

    [Fact]
    public void Evaluations_and_teachers_are_in_the_weights_own_type()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var model = Model(1);
        using var teacher = Model(1);
        var seen = new Recorder();
        var options = Options(1) with { Distillation = new DistillationOptions { Weight = 1 } };
        TrainerTests.Run(folder.Path, options, new TrainingInputs(model, Tiny.Text(1), Tiny.Text(2, 200), teacher), seen);

        // The teacher is the model: they would agree if both were rounded.
        Assert.True(seen.Steps[0].Loss > 1e-6, $"{seen.Steps[0].Loss}");
        using var plain = new TemporaryFolder();
        using var other = Model(1);
        var expected = new Recorder();
        TrainerTests.Run(plain.Path, options with { Fp8 = false }, new TrainingInputs(other, Tiny.Text(1), Tiny.Text(2, 200), teacher), expected);
        Assert.Equal(0, expected.Steps[0].Loss, 1e-9);
        Assert.Equal(expected.Evaluations[0].EvaluationLoss, seen.Evaluations[0].EvaluationLoss);
    }

    [Fact]
    public void The_number_of_tensors_does_not_grow_from_step_to_step()
    {
        using var model = Model(1);
        var counts = new List<long>();
        Train(_ => { });
        long before = TensorCount.Settled();
        Train(_ => counts.Add(TensorCount.Settled()));
        Assert.Single(counts.Distinct());
        Assert.Equal(before, TensorCount.Settled());

        void Train(Action<StepMetrics> onStep)
        {
            using var folder = new TemporaryFolder();
            TrainerTests.Run(folder.Path, Options(5) with { Recompute = RecomputePolicy.Selective, KeepLast = 0 }, new TrainingInputs(model, Tiny.Text(1)), new Recorder(onStep));
        }
    }

    [Fact]
    public void Adapters_are_refused()
    {
        var problems = new Problems();
        (Options(1) with { Lora = new LoraConfig(2, 2, ["*.q_proj.weight"]) }).Check(Hybrid, problems);
        Assert.Contains("training.fp8 excludes training.lora", Assert.Single(Assert.Throws<UserErrorException>(problems.ThrowIfAny).Problems));
    }

    [Fact]
    public void A_card_must_have_bf16_weights()
    {
        var problems = new Problems();
        Fp8Support.Check(Options(1), ScalarType.Float32, onCard: true, isHere: false, problems);
        Assert.Equal("training.fp8 needs bf16 weights on a card, and dtype is float32; make it bf16, or fp8 false.", Assert.Single(Assert.Throws<UserErrorException>(problems.ThrowIfAny).Problems));
        var none = new Problems();
        Fp8Support.Check(Options(1), ScalarType.BFloat16, onCard: true, isHere: false, none);
        Fp8Support.Check(Options(1), ScalarType.Float32, onCard: false, isHere: true, none);
        Fp8Support.Check(Options(1) with { Fp8 = false }, ScalarType.Float32, onCard: true, isHere: true, none);
        Assert.False(none.Any);
    }

    [Fact]
    public void What_gains_nothing_is_told()
    {
        Assert.Equal(["training.fp8 on the CPU rounds as a card does, and takes longer than without."], Idle(Options(1), Hybrid, onCard: false));
        Assert.Empty(Idle(Options(1), Hybrid, onCard: true));
        Assert.Empty(Idle(Options(1) with { Fp8 = false }, Hybrid, onCard: false));
        Assert.Equal(["training.fp8 has no effect: a micro-batch has 45 tokens, and FP8 products take multiples of 16."], Idle(Options(1) with { WindowLength = 15 }, Hybrid, onCard: true));
        Assert.Equal(
            ["training.fp8 leaves the MLPs' products in the weights' own type: FP8 products take sizes that are multiples of 16."],
            Idle(Options(1), Hybrid with { IntermediateSize = 40 }, onCard: true));
        Assert.Equal(
            ["training.fp8 leaves products with q_proj and those beside it in the weights' own type: FP8 products take sizes that are multiples of 16."],
            Idle(Options(1), Config(new GatedSlotAttentionConfig(2, 1, 16, 5)), onCard: true));

        static string[] Idle(TrainingOptions options, ModelConfig model, bool onCard) => [.. IdleOptions.In(options, model, hasHeldOut: true, onCard)];
    }

    private static ModelConfig Config(params MixerConfig[] mixers) => Tiny.Config(true, mixers) with { HiddenSize = 32, IntermediateSize = 48 };

    private static TrainingOptions Options(int steps) => Tiny.Options(steps) with { Fp8 = true };

    private static CausalLM Model(long seed) => Tiny.Model(Hybrid, seed);
}
