using T2R.Checkpoints;
using T2R.Tests.Checkpoints;
using T2R.Training;
using Xunit;

namespace T2R.Tests.Training;

/// <summary>A run that was stopped and resumed is, to the byte, the run that never stopped.</summary>
public class ResumeTests
{
    private const int Steps = 12;

    private static readonly TrainingOptions Hard = Tiny.Options(Steps) with
    {
        AccumulationSteps = 2,
        WarmupSteps = 2,
        EvaluateEvery = 4,
        CheckpointEvery = 5,
        Distillation = new DistillationOptions { Weight = 0.5, Temperature = 2 },
        Groups = [new ParameterGroup("*.f_proj.weight") { LearningRateMultiplier = 3 }],
        Stages =
        [
            new TrainingStage("mixers") { Steps = 4, Objective = StageObjective.Mixers },
            new TrainingStage("new") { Steps = 3, Trained = ["*.f_proj.weight", "*.g_norm.weight"], LearningRateFactor = 2 },
            new TrainingStage("all"),
        ],
    };

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(3, 5, 9, 11)]
    public void Stopping_and_resuming_changes_no_byte_of_the_weights_and_no_line_of_the_metrics(params int[] stops)
    {
        using var straight = new TemporaryFolder();
        using var stopped = new TemporaryFolder();
        var expected = Train(straight.Path, Hard, stopAt: null);
        foreach (int stop in stops)
        {
            Assert.Null(Train(stopped.Path, Hard, stop));
        }

        var actual = Train(stopped.Path, Hard, stopAt: null);
        Assert.Empty(Tiny.Changed(expected!, actual!));
        Assert.Equal(Metrics(straight.Path), Metrics(stopped.Path));
    }

    [Theory]
    [InlineData(OptimizerName.AdamWBf16, false)]
    [InlineData(OptimizerName.AdamW8Bit, false)]
    [InlineData(OptimizerName.AdamW8Bit, true)]
    public void Every_optimizer_resumes_to_the_byte(OptimizerName name, bool inBackward)
    {
        using var straight = new TemporaryFolder();
        using var stopped = new TemporaryFolder();
        var options = Hard with { AccumulationSteps = inBackward ? 1 : 2, Optimizer = Hard.Optimizer with { Name = name, InBackward = inBackward } };
        var expected = Train(straight.Path, options, stopAt: null);
        Assert.Null(Train(stopped.Path, options, stopAt: 3));
        Assert.Null(Train(stopped.Path, options, stopAt: 9));
        var actual = Train(stopped.Path, options, stopAt: null);
        Assert.Empty(Tiny.Changed(expected!, actual!));
        Assert.Equal(Metrics(straight.Path), Metrics(stopped.Path));
    }

    [Fact]
    public void A_run_that_was_killed_goes_on_from_its_last_checkpoint_and_cuts_the_metrics_there()
    {
        using var straight = new TemporaryFolder();
        using var killed = new TemporaryFolder();
        var expected = Train(straight.Path, Hard, stopAt: null);
        Train(killed.Path, Hard, stopAt: 8);
        // As if step 8's checkpoint had not been written yet, and its line only half.
        string last = RunFolder.Checkpoints(killed.Path)[0];
        Directory.Move(last, Path.Combine(Path.GetDirectoryName(last)!, ".step-00000008.partial-1-abc"));
        File.AppendAllText(killed["metrics.jsonl"], "{\"step\":9,\"sta");

        var actual = Train(killed.Path, Hard, stopAt: null);
        Assert.Empty(Tiny.Changed(expected!, actual!));
        Assert.Equal(Metrics(straight.Path), Metrics(killed.Path));
        Assert.DoesNotContain(Directory.GetDirectories(killed["checkpoints"]), d => Path.GetFileName(d).StartsWith('.'));
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("optimizer.safetensors")]
    [InlineData("state.json")]
    public void A_damaged_checkpoint_is_passed_over_with_a_warning(string file)
    {
        using var straight = new TemporaryFolder();
        using var damaged = new TemporaryFolder();
        var expected = Train(straight.Path, Hard, stopAt: null);
        Train(damaged.Path, Hard, stopAt: 8);
        string newest = RunFolder.Checkpoints(damaged.Path)[0];
        byte[] bytes = File.ReadAllBytes(Path.Combine(newest, file));
        File.WriteAllBytes(Path.Combine(newest, file), bytes[..(bytes.Length / 2)]);

        var seen = new Recorder();
        var actual = Train(damaged.Path, Hard, stopAt: null, seen);
        Assert.Empty(Tiny.Changed(expected!, actual!));
        Assert.Equal(6, seen.Steps[0].Step);
        Assert.Contains("step-00000008", Assert.Single(seen.Warnings));
    }

    [Fact]
    public void A_run_without_a_whole_checkpoint_says_so_and_trains_nothing()
    {
        using var folder = new TemporaryFolder();
        Train(folder.Path, Hard, stopAt: 1);
        File.Delete(Path.Combine(RunFolder.Checkpoints(folder.Path)[0], "state.json"));
        var error = Assert.Throws<UserErrorException>(() => Train(folder.Path, Hard, stopAt: null));
        Assert.Contains("state.json", error.Message);
    }

    [Fact]
    public void Options_and_text_that_changed_are_named()
    {
        using var folder = new TemporaryFolder();
        Train(folder.Path, Hard, stopAt: 2);
        var changed = Hard with { MicroBatchSize = 2, Optimizer = Hard.Optimizer with { LearningRate = 1 }, Groups = [new ParameterGroup("*.f_proj.weight") { LearningRateMultiplier = 4 }] };
        var error = Assert.Throws<UserErrorException>(() => Train(folder.Path, changed, stopAt: null, text: 9));

        Assert.Equal(4, error.Problems.Count);
        Assert.Contains("training.micro_batch_size is 2, but the run", error.Problems[0]);
        Assert.Contains("training.optimizer.learning_rate is 1", error.Problems[1]);
        Assert.Contains("training.groups[0].learning_rate_multiplier is 4", error.Problems[2]);
        Assert.Contains("tokens", error.Problems[3]);
    }

    [Fact]
    public void A_finished_run_can_be_made_longer()
    {
        using var folder = new TemporaryFolder();
        var options = Tiny.Options(3);
        var seen = new Recorder();
        Train(folder.Path, options, stopAt: null);
        Train(folder.Path, options with { Steps = 5, LogEvery = 2, KeepLast = 1, EvaluateEvery = 1 }, stopAt: null, seen);
        Assert.Equal([4, 5], seen.Steps.Select(s => s.Step));
        Assert.Equal(["step-00000005"], RunFolder.Checkpoints(folder.Path).Select(c => Path.GetFileName(c)));
    }

    [Fact]
    public void A_run_cannot_be_made_shorter_than_it_is()
    {
        using var folder = new TemporaryFolder();
        Train(folder.Path, Tiny.Options(3), stopAt: null);
        var error = Assert.Throws<UserErrorException>(() => Train(folder.Path, Tiny.Options(2), stopAt: null));
        Assert.Contains("training.steps is 2", Assert.Single(error.Problems));
    }

    [Fact]
    public void A_damaged_checkpoint_does_not_push_out_the_good_one()
    {
        using var folder = new TemporaryFolder();
        var options = Tiny.Options(6) with { CheckpointEvery = 2, KeepLast = 2 };
        Train(folder.Path, options, stopAt: 4);
        File.Delete(Path.Combine(RunFolder.Checkpoints(folder.Path)[0], "state.json"));
        Assert.Null(Train(folder.Path, options with { KeepLast = 1 }, stopAt: 3));
        Assert.Equal(["step-00000003"], RunFolder.Checkpoints(folder.Path).Select(c => Path.GetFileName(c)));
    }

    [Fact]
    public void A_finished_run_does_nothing_when_run_again()
    {
        using var folder = new TemporaryFolder();
        var seen = new Recorder();
        var first = Train(folder.Path, Tiny.Options(3), stopAt: null);
        var second = Train(folder.Path, Tiny.Options(3), stopAt: null, seen);
        Assert.Empty(Tiny.Changed(first!, second!));
        Assert.Empty(seen.Steps);
    }

    [Fact]
    public void Only_one_process_trains_in_a_folder()
    {
        using var folder = new TemporaryFolder();
        using (RunFolder.Open(folder.Path))
        {
            Assert.Contains("another process", Assert.Throws<UserErrorException>(() => RunFolder.Open(folder.Path)).Message);
        }

        RunFolder.Open(folder.Path).Dispose();
    }

    [Fact]
    public void The_last_checkpoints_are_kept_and_hold_the_weights_by_name()
    {
        using var folder = new TemporaryFolder();
        var expected = Train(folder.Path, Tiny.Options(7) with { CheckpointEvery = 2, KeepLast = 3 }, stopAt: null);
        Assert.Equal(["step-00000007", "step-00000006", "step-00000004"], RunFolder.Checkpoints(folder.Path).Select(c => Path.GetFileName(c)));

        var config = Tiny.Config(true, Tiny.Slots, Tiny.Softmax);
        using var newest = RunCheckpoint.Newest(folder.Path, config, Assert.Fail);
        using var other = Tiny.Model(config, 2);
        newest!.CopyTo(other.Weights);
        Assert.Empty(Tiny.Changed(expected!, Tiny.Bytes(other.Weights)));
        Assert.Equal((7, 7 * 48), (newest.Step, newest.Tokens));
        Assert.Equal(7, newest.Evaluation!.Step);
        Assert.Contains("blocks.0.mixer.f_proj", Assert.Throws<UserErrorException>(() => RunCheckpoint.Open(newest.Path, Tiny.Config(true, Tiny.Slots with { KeyValueHeads = 2 }, Tiny.Softmax))).Message);
    }

    [Fact]
    public void A_checkpoint_holds_the_weights_that_some_stage_trains_and_no_other()
    {
        using var folder = new TemporaryFolder();
        var options = Hard with { Stages = [Hard.Stages[0], new TrainingStage("rest") { Trained = ["*.f_proj.weight", "norm.weight"] }], Groups = [new ParameterGroup("*.o_proj.weight") { Frozen = true }] };
        string[] expected =
        [
            "blocks.0.mixer.f_proj.weight", "blocks.0.mixer.g_norm.weight", "blocks.0.mixer.k_proj.weight", "blocks.0.mixer.q_proj.weight", "blocks.0.mixer.v_proj.weight",
            "blocks.1.mixer.k_proj.weight", "blocks.1.mixer.q_proj.weight", "blocks.1.mixer.v_proj.weight", "norm.weight",
        ];
        Train(folder.Path, options, stopAt: 2);
        string newest = RunFolder.Checkpoints(folder.Path)[0];
        using (var stored = CheckpointFolder.Open(newest))
        {
            Assert.Equal(expected, stored.Entries.Keys.Order(StringComparer.Ordinal));
        }

        // One of them missing is damage, though another stage trains it.
        using (var straight = new TemporaryFolder())
        {
            Assert.Empty(Tiny.Changed(Train(straight.Path, options, stopAt: null)!, Train(folder.Path, options, stopAt: null)!));
        }

        newest = RunFolder.Checkpoints(folder.Path)[0];
        string state = File.ReadAllText(Path.Combine(newest, "state.json"));
        File.WriteAllText(Path.Combine(newest, "state.json"), state.Replace("\"norm.weight\"", "\"*norm.weight\"", StringComparison.Ordinal));
        Assert.Contains("blocks.0.mixer_norm.weight is missing", Assert.Throws<UserErrorException>(() => RunCheckpoint.Open(newest, Tiny.Config(true, Tiny.Slots, Tiny.Softmax))).Message);
    }

    // The final weights, or null when the run was stopped.
    private static Dictionary<string, byte[]>? Train(string folder, TrainingOptions options, int? stopAt, Recorder? recorder = null, int text = 1)
    {
        using var model = Tiny.Model(Tiny.Config(true, Tiny.Slots, Tiny.Softmax), 1);
        using var teacher = Tiny.Model(Tiny.Config(true, Tiny.Softmax, Tiny.Softmax), 1);
        using var stop = new CancellationTokenSource();
        recorder ??= new Recorder(m => { if (m.Step == stopAt) { stop.Cancel(); } });
        try
        {
            TrainerTests.Run(folder, options, new TrainingInputs(model, Tiny.Text(text), Tiny.Text(2, 100), teacher), recorder, stop);
            return Tiny.Bytes(model.Weights);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    // Without the times, which differ.
    private static string[] Metrics(string folder) =>
        [.. File.ReadLines(Path.Combine(folder, "metrics.jsonl")).Select(line => System.Text.RegularExpressions.Regex.Replace(line, "\"tokens_per_second\".*", ""))];
}
