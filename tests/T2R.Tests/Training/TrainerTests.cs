using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training;

public class TrainerTests
{
    [Fact]
    public void A_tiny_hybrid_learns_a_tiny_text_by_heart()
    {
        using var folder = new TemporaryFolder();
        using var model = new CausalLM(Tiny.Config(true, Tiny.Softmax, Tiny.Slots), WeightSet.Random(Tiny.Config(true, Tiny.Softmax, Tiny.Slots), 1, CPU));
        var options = Tiny.Options(150) with { Optimizer = new AdamWOptions { LearningRate = 2e-2 }, WindowLength = 40 };
        var result = Run(folder.Path, options, new TrainingInputs(model, Tiny.EasyText(), Tiny.EasyText(400)));

        Assert.Equal(150, result.Steps);
        Assert.Equal(150 * 3 * 40, result.Tokens);
        Assert.InRange(result.Evaluation!.Perplexity, 1, 1.2);
        Assert.True(File.Exists(folder["loss.png"]));
    }

    [Fact]
    public void Imitating_mixers_lowers_its_loss_and_moves_nothing_but_new_mixers()
    {
        using var folder = new TemporaryFolder();
        using var model = Tiny.Model(Tiny.Config(false, Tiny.Slots, Tiny.Softmax), 1);
        using var teacher = Tiny.Model(Tiny.Config(false, Tiny.Softmax, Tiny.Softmax), 2);
        var before = Tiny.Bytes(model.Weights);
        var seen = new Recorder();
        var options = Tiny.Options(60) with { Stages = [new TrainingStage("mixers") { Objective = StageObjective.Mixers }] };
        Run(folder.Path, options, new TrainingInputs(model, Tiny.Text(1), Teacher: teacher), seen);

        Assert.All(Tiny.Changed(before, Tiny.Bytes(model.Weights)), name => Assert.StartsWith("blocks.0.mixer.", name));
        Assert.Equal(6, Tiny.Changed(before, Tiny.Bytes(model.Weights)).Length);
        Assert.Equal(["mixer.0"], seen.Steps[0].Parts.Keys);
        Assert.True(seen.Steps[^1].Loss < 0.7 * seen.Steps[0].Loss, $"{seen.Steps[0].Loss} → {seen.Steps[^1].Loss}");
    }

    [Fact]
    public void Groups_and_stages_leave_frozen_weights_as_they_are_to_the_bit()
    {
        using var folder = new TemporaryFolder();
        using var model = Tiny.Model(Tiny.Config(false, Tiny.Slots, Tiny.Slots), 1);
        var before = Tiny.Bytes(model.Weights);
        var options = Tiny.Options(4) with
        {
            Groups = [new ParameterGroup("blocks.*") { LearningRateMultiplier = 2 }, new ParameterGroup("blocks.0.*") { Frozen = true }, new ParameterGroup("blocks.0.mixer.f_proj.weight")],
            Stages = [new TrainingStage("gates") { Steps = 2, Trained = ["*.f_proj.weight"] }, new TrainingStage("rest") { Trained = ["blocks.*", "head.weight"] }],
        };

        // The run stops at the boundary of the stages, so that both can be looked at.
        using (var stop = new CancellationTokenSource())
        {
            Assert.Throws<OperationCanceledException>(() => Run(folder.Path, options, new TrainingInputs(model, Tiny.Text(1)), new Recorder(m => { if (m.Step == 2) { stop.Cancel(); } }), stop));
        }

        Assert.Equal(["blocks.0.mixer.f_proj.weight", "blocks.1.mixer.f_proj.weight"], Tiny.Changed(before, Tiny.Bytes(model.Weights)));
        Run(folder.Path, options, new TrainingInputs(model, Tiny.Text(1)));
        string[] changed = Tiny.Changed(before, Tiny.Bytes(model.Weights));
        Assert.Equal(
            model.Weights.Specs.Select(s => s.Name).Where(n => n == "blocks.0.mixer.f_proj.weight" || n == "head.weight" || n.StartsWith("blocks.1.", StringComparison.Ordinal)), changed);
    }

    [Fact]
    public void A_loss_that_is_not_finite_stops_the_run_before_it_touches_weights_or_checkpoints()
    {
        using var folder = new TemporaryFolder();
        using var model = Tiny.Model(Tiny.Config(false, Tiny.Slots), 1);
        var options = Tiny.Options(10) with { CheckpointEvery = 3 };
        var poison = new Recorder(m =>
        {
            if (m.Step == 4)
            {
                using var _ = no_grad();
                model.Weights["norm.weight"][0] = float.NaN;
            }
        });
        Dictionary<string, byte[]> poisoned = [];
        var error = Assert.Throws<DivergedException>(() => Run(folder.Path, options, new TrainingInputs(model, Tiny.Text(1)), poison));

        Assert.Equal((5, "train"), (error.Step, error.Stage));
        Assert.EndsWith("step-00000003", error.Checkpoint);
        Assert.Contains("step 5", error.Message);
        Assert.Contains("lower learning rate", error.Message);
        Assert.Single(RunFolder.Checkpoints(folder.Path));
        Assert.DoesNotContain(model.Weights.All, w => w.Spec.Name != "norm.weight" && w.Tensor.isnan().any().item<bool>());
        using var checkpoint = RunCheckpoint.Open(error.Checkpoint!, model.Config);
        checkpoint.CopyTo(model.Weights);
        Assert.DoesNotContain(model.Weights.All, w => w.Tensor.isnan().any().item<bool>());
    }

    [Fact]
    public void A_held_out_perplexity_that_is_no_number_stops_the_run()
    {
        using var folder = new TemporaryFolder();
        using var model = Tiny.Model(Tiny.Config(false, Tiny.Slots), 1);
        using var _ = no_grad();
        model.Weights["head.weight"].mul_(1e5);
        var options = Tiny.Options(4) with { EvaluateEvery = 1 };
        using var enabled = enable_grad();
        var error = Assert.Throws<DivergedException>(() => Run(folder.Path, options, new TrainingInputs(model, Tiny.Text(1), HeldOut: Tiny.Text(2)), new Recorder()));
        Assert.Contains("held-out loss", error.Message);
    }

    [Fact]
    public void Everything_wrong_with_the_options_is_said_at_once()
    {
        using var folder = new TemporaryFolder();
        using var model = Tiny.Model(Tiny.Config(true, Tiny.Slots), 1);
        var options = Tiny.Options(10) with
        {
            MicroBatchSize = 0,
            FloorRatio = 2,
            Groups = [new ParameterGroup("blocks.*.mixer.f_prj.weight")],
            Distillation = new DistillationOptions { Weight = 1 },
            Stages = [new TrainingStage("a"), new TrainingStage("b") { Steps = 20, Trained = ["norm.weight"], Objective = StageObjective.Mixers }],
        };
        var error = Assert.Throws<UserErrorException>(() => Run(folder.Path, options, new TrainingInputs(model, Tiny.Text(1))));

        string[] expected =
        [
            "training.micro_batch_size is 0", "training.floor_ratio is 2", "Did you mean 'blocks.*.mixer.f_proj.weight'?", "('a'): steps is missing", "20 steps together",
            "('b'): every weight is frozen", "mixers, which needs a teacher", "training.distillation needs a teacher",
        ];
        Assert.All(expected, text => Assert.Contains(error.Problems, p => p.Contains(text, StringComparison.Ordinal)));
        Assert.Equal(expected.Length, error.Problems.Count);
    }

    [Fact]
    public void Options_without_effect_are_told_of()
    {
        using var folder = new TemporaryFolder();
        using var model = Tiny.Model(Tiny.Config(true, Tiny.Slots), 1);
        var options = Tiny.Options(2) with
        {
            EvaluateEvery = 1,
            WarmupSteps = 2,
            Distillation = new DistillationOptions { Weight = 0 },
            OffloadInputs = true,
            Optimizer = new AdamWOptions { Offload = true },
            Groups = [new ParameterGroup("norm.weight") { Frozen = true }, new ParameterGroup("*")],
        };
        var seen = new Recorder();
        Run(folder.Path, options, new TrainingInputs(model, Tiny.Text(1)), seen);

        string[] expected =
        [
            "training.evaluate_every", "training.offload_inputs has no effect: the model is on the CPU", "training.optimizer.offload has no effect", "training.distillation",
            "training.warmup_steps is 2, and the stage 'train'", "training.groups[0]",
        ];
        Assert.Equal(expected.Length, seen.Warnings.Count);
        Assert.All(expected.Zip(seen.Warnings), pair => Assert.StartsWith(pair.First, pair.Second));
    }

    [Fact]
    public void Held_out_text_is_evaluated_where_the_options_say_and_at_both_ends()
    {
        using var folder = new TemporaryFolder();
        using var model = Tiny.Model(Tiny.Config(true, Tiny.Slots), 1);
        var options = Tiny.Options(9) with { EvaluateAt = [47, 48, 150, 200, 500] }; // 48 ids a step
        var seen = new Recorder();
        Run(folder.Path, options, new TrainingInputs(model, Tiny.Text(1), Tiny.Text(2, 100)), seen);
        Assert.Equal([0, 1, 3, 4, 9], seen.Evaluations.Select(e => e.Step));
        Assert.Equal([0, 48, 144, 192, 432], seen.Evaluations.Select(e => e.Tokens));
        Assert.Equal(["training.evaluate_at 47 has no effect", "training.evaluate_at 500 has no effect"], seen.Warnings.Select(w => w.Split(':')[0]));
    }

    internal static TrainingResult Run(string folder, TrainingOptions options, TrainingInputs inputs, ITrainingObserver? observer = null, CancellationTokenSource? stop = null)
    {
        using var run = RunFolder.Open(folder);
        using var trainer = new Trainer(options, inputs, run, observer is null ? [] : [observer]);
        return trainer.Run(stop?.Token ?? TestContext.Current.CancellationToken);
    }
}
