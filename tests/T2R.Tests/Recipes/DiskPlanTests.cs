using T2R.Recipes;
using T2R.Tests.Cli;
using T2R.Tests.Training;
using T2R.Training;
using Xunit;

namespace T2R.Tests.Recipes;

public class DiskPlanTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("dtype=fp32")]
    [InlineData("dtype=bf16", "export_dtype=bf16")]
    [InlineData("dtype=bf16", "training.groups=[{pattern: '*.mlp.*', frozen: true}]")]
    [InlineData("training.lora={rank: 2, alpha: 4, targets: [blocks.*.mixer.*_proj.weight]}")]
    public void Each_part_is_as_large_as_what_the_run_then_writes(params string[] overrides)
    {
        using var world = new TinyWorld();
        using var plan = world.Plan([.. overrides, "training.checkpoint_every=2", "training.keep_last=2"]);
        var disk = DiskPlan.Of(plan, world["run"], exports: true);
        Assert.Equal(["converted model", "checkpoints", "export"], disk.Parts.Select(p => p.Name));
        Assert.Equal(3, disk.Parts[1].Count);
        Assert.Equal(disk.Parts.Sum(p => p.Bytes), disk.Total);
        Assert.Equal(["converted model", "checkpoints"], DiskPlan.Of(plan, world["run"], exports: false).Parts.Select(p => p.Name));

        world.Run("run", cancellation: Cancellation, overrides: [.. overrides, "training.checkpoint_every=2", "training.keep_last=2"]);
        AssertSize(disk.Parts[0].Each, world["run/converted"]);
        AssertSize(disk.Parts[1].Each, RunFolder.Checkpoints(world["run"])[0]);
        AssertSize(disk.Parts[2].Each, world["run/export"]);
        Assert.Equal(["export"], DiskPlan.Of(plan, world["run"], exports: true).Parts.Select(p => p.Name));
    }

    [Theory]
    [InlineData(100, 10, 2, 3)]
    [InlineData(100, 10, 20, 10)]
    [InlineData(100, 60, 2, 2)]
    [InlineData(100, 0, 2, 1)]
    [InlineData(6, 6, 2, 1)]
    public void Checkpoints_are_as_many_as_are_kept_and_one_or_as_are_saved_at_all(int steps, int every, int keepLast, int expected)
    {
        using var world = new TinyWorld();
        using var plan = world.Plan($"training.steps={steps}", $"training.checkpoint_every={every}", $"training.keep_last={keepLast}");
        Assert.Equal(expected, DiskPlan.Of(plan, world["run"], exports: false).Parts.Single(p => p.Name == "checkpoints").Count);
    }

    [Fact]
    public void A_run_that_keeps_no_checkpoint_exports_the_same_model_and_begins_anew_when_stopped()
    {
        using var world = new TinyWorld();
        world.Run("kept", cancellation: Cancellation);
        string[] none = ["training.keep_last=0", "training.checkpoint_every=2"];
        using var plan = world.Plan(none);
        Assert.Contains("a run that is stopped begins anew", Assert.Single(plan.TrainingWarnings), StringComparison.Ordinal);
        Assert.Equal(["converted model", "export"], DiskPlan.Of(plan, world["none"], exports: true).Parts.Select(p => p.Name));
        Assert.Contains("nothing of the training would be left", Assert.Throws<UserErrorException>(() => new RecipeRun(plan, world["none"], new RunWatch(), Cancellation).Training()).Message);

        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => world.Run("none", new RunWatch(Observers: [new Recorder(m => { if (m.Step == 3) { stop.Cancel(); } })]), stop.Token, none));
        var again = new Recorder();
        world.Run("none", new RunWatch(Observers: [again]), Cancellation, none);
        Assert.Equal([1, 2, 3, 4, 5, 6], again.Steps.Select(s => s.Step));
        Assert.Empty(RunFolder.Checkpoints(world["none"]));
        Assert.Equal(File.ReadAllBytes(world["kept/export/model.safetensors"]), File.ReadAllBytes(world["none/export/model.safetensors"]));
        Assert.Contains("keep one (training.keep_last)", Assert.Throws<UserErrorException>(() => RunExport.Newest(world["none"], world["model"], null, null, replace: false, Assert.Fail, null, Cancellation)).Message);
    }

    [Fact]
    public void What_a_resumed_run_has_already_is_not_counted_again()
    {
        using var world = new TinyWorld();
        world.Run("run", cancellation: Cancellation, overrides: ["training.checkpoint_every=2", "training.keep_last=3"]);
        Assert.Equal(3, RunFolder.Checkpoints(world["run"]).Count);
        Assert.Equal(1, Checkpoints(20));
        Assert.Equal(1, Checkpoints(8));
        Assert.Equal(0, Checkpoints(6));
        Directory.Delete(RunFolder.Checkpoints(world["run"])[2], recursive: true);
        Assert.Equal(2, Checkpoints(20));
        Assert.Equal(1, Checkpoints(7));

        int Checkpoints(int steps)
        {
            using var plan = world.Plan($"training.steps={steps}", "training.checkpoint_every=2", "training.keep_last=3");
            return DiskPlan.Of(plan, world["run"], exports: true).Parts.SingleOrDefault(p => p.Name == "checkpoints")?.Count ?? 0;
        }
    }

    [Fact]
    public async Task A_disk_without_room_is_said_once_before_anything_is_written()
    {
        using var world = new TinyWorld();
        Directory.CreateDirectory(world["disk"]);
        using var small = await SmallDisk.Mount(world["disk"], kilobytes: 300);
        Assert.SkipWhen(small is null, "needs the right to mount a tmpfs");
        var error = Assert.Throws<IOException>(() => world.Run("disk/run", cancellation: Cancellation, overrides: ["training.checkpoint_every=1"]));
        Assert.Matches(@"Not enough disk space for the run in \S+/disk/run: it needs \d\.\d MB \(0\.\d MB converted model, \d\.\d MB checkpoints \(3 of \d\.\d MB\), 0\.\d MB export\) and 0\.3 MB are free there;", error.Message);
        Assert.Contains("keep fewer checkpoints (training.keep_last=1) or none (0), train", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(world["disk/run"]));
    }

    [Fact]
    public async Task Room_that_the_tokenized_text_has_taken_is_missed_before_the_conversion()
    {
        using var world = new TinyWorld();
        string lines = File.ReadAllText(world["text.jsonl"]);
        File.WriteAllText(world["text.jsonl"], string.Concat(Enumerable.Repeat(lines, 50)));
        Directory.CreateDirectory(world["disk"]);
        long needed;
        using (var plan = world.Plan())
        {
            needed = DiskPlan.Of(plan, world["disk/run"], exports: true).Total;
        }

        using var small = await SmallDisk.Mount(world["disk"], kilobytes: (int)(needed / 1024) + 100);
        Assert.SkipWhen(small is null, "needs the right to mount a tmpfs");
        var error = Assert.Throws<IOException>(() => world.Run("disk/run", cancellation: Cancellation));
        Assert.Contains("only the tokenized text was written", error.Message, StringComparison.Ordinal);
        Assert.Equal(["tokens"], Directory.GetDirectories(world["disk/run"]).Select(f => Path.GetFileName(f)));
    }

    // Of the tensors: what else lies in the files is headers, texts and the tokenizer.
    private static void AssertSize(long expected, string folder)
    {
        string[] files = Directory.GetFiles(folder, "*.safetensors");
        Assert.NotEmpty(files);
        Assert.Equal(expected, files.Sum(f =>
        {
            using var file = T2R.Checkpoints.SafeTensorsFile.Open(f);
            return file.Entries.Sum(e => e.ByteCount);
        }));
    }
}
