using T2R.Data;
using T2R.Interop;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tests.Cli;
using T2R.Training;
using T2R.Training.Optimizers;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Training;

/// <summary>Checkpoints are written behind training's back, one at a time, as training was when it saved; what goes wrong is told at the next step.</summary>
public sealed class CheckpointSaverTests : IDisposable
{
    private static readonly ModelConfig Config = Tiny.Config(true, Tiny.Softmax);
    private readonly CausalLM _model = Tiny.Model(Config, 1);

    public void Dispose() => _model.Dispose();

    [Fact]
    public void Saving_returns_before_the_checkpoint_is_written_and_what_is_written_is_what_was_saved()
    {
        using var goOn = new ManualResetEventSlim();
        var written = new List<(int Step, Dictionary<string, byte[]> Weights)>();
        using var optimizer = Optimizer();
        using var saver = new CheckpointSaver(
            parts =>
            {
                Assert.True(goOn.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
                written.Add((parts.State.Step, parts.Weights.ToDictionary(w => w.Name, w => TensorMemory.Bytes(w.Tensor).ToArray())));
            },
            Assert.Fail);
        var before = Tiny.Bytes(_model.Weights);

        saver.Save(Parts(1, optimizer));
        Spoil();
        saver.ThrowIfFailed();
        Assert.Empty(written);
        goOn.Set();
        saver.Wait();
        var (step, weights) = Assert.Single(written);
        Assert.Equal(1, step);
        Assert.Empty(Tiny.Changed(before, weights));
        Assert.NotEmpty(Tiny.Changed(before, Tiny.Bytes(_model.Weights)));
    }

    [Fact]
    public async Task The_next_save_waits_for_the_one_before()
    {
        using var goOn = new SemaphoreSlim(0);
        var begun = new List<int>();
        using var optimizer = Optimizer();
        using var saver = new CheckpointSaver(
            parts =>
            {
                begun.Add(parts.State.Step);
                goOn.Wait();
            },
            Assert.Fail);
        saver.Save(Parts(1, optimizer));
        var second = Task.Run(() => saver.Save(Parts(2, optimizer)), TestContext.Current.CancellationToken);
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(second.IsCompleted);
        goOn.Release(2);
        await second;
        saver.Wait();
        Assert.Equal([1, 2], begun);
    }

    [Fact]
    public void A_failure_is_thrown_once_as_it_was_and_the_copy_is_freed()
    {
        using var optimizer = Optimizer();
        long tensors = TensorCount.Settled();
        using var saver = new CheckpointSaver(_ => throw new IOException("The disk is full"), Assert.Fail);
        saver.Save(Parts(1, optimizer));
        var error = Assert.Throws<IOException>(() => SpinWait.SpinUntil(
            () =>
            {
                saver.ThrowIfFailed();
                return false;
            },
            TimeSpan.FromSeconds(30)));
        Assert.Equal("The disk is full", error.Message);
        saver.ThrowIfFailed();
        saver.Wait();
        Assert.Equal(tensors, Tensor.TotalCount);
    }

    [Fact]
    public void Without_room_for_a_copy_it_writes_at_once_and_says_so_once()
    {
        using var optimizer = Optimizer();
        var warnings = new List<string>();
        int caller = Environment.CurrentManagedThreadId, written = 0;
        long needed = Parts(1, optimizer).ByteCount, free = (1L << 30) + needed - 1;
        using var saver = new CheckpointSaver(
            parts =>
            {
                Assert.Equal(caller == Environment.CurrentManagedThreadId, free < (1L << 30) + needed);
                written++;
            },
            warnings.Add,
            () => free);
        saver.Save(Parts(1, optimizer));
        saver.Save(Parts(2, optimizer));
        Assert.Equal(2, written);
        Assert.Contains("no room for a copy of the checkpoint", Assert.Single(warnings), StringComparison.Ordinal);
        free++;
        saver.Save(Parts(3, optimizer));
        saver.Wait();
        Assert.Equal(3, written);
        Assert.Single(warnings);
    }

    [Fact]
    public void A_copy_holds_every_tensor_to_the_bit_and_frees_them_all()
    {
        using var optimizer = Optimizer();
        long tensors = TensorCount.Settled();
        using (var live = Parts(1, optimizer))
        using (var copy = live.Copy())
        {
            Assert.Equal(live.Weights.Concat(live.Moments).Select(p => p.Name), copy.Weights.Concat(copy.Moments).Select(p => p.Name));
            Assert.All(live.Weights.Concat(live.Moments).Zip(copy.Weights.Concat(copy.Moments)), pair =>
            {
                Assert.True(TensorMemory.Bytes(pair.First.Tensor).SequenceEqual(TensorMemory.Bytes(pair.Second.Tensor)), pair.First.Name);
                Assert.NotEqual(TensorMemory.DataPointer(pair.First.Tensor), TensorMemory.DataPointer(pair.Second.Tensor));
                Assert.False(pair.Second.Tensor.requires_grad);
            });
        }

        Assert.Equal(tensors, Tensor.TotalCount);
    }

    [Fact]
    public async Task A_disk_that_gets_full_stops_the_run_and_leaves_its_checkpoints_whole()
    {
        using var folder = new TemporaryFolder();
        using var disk = await SmallDisk.Mount(folder.Path, kilobytes: 600);
        Assert.SkipWhen(disk is null, "needs the right to mount a tmpfs");
        var seen = new Recorder();
        var error = Assert.Throws<IOException>(() => TrainerTests.Run(
            folder.Path, Tiny.Options(100) with { CheckpointEvery = 1, KeepLast = 100 }, new TrainingInputs(_model, Tiny.Text(1)), seen));
        Assert.Contains("disk", error.Message, StringComparison.OrdinalIgnoreCase);
        var checkpoints = RunFolder.Checkpoints(folder.Path);
        Assert.InRange(checkpoints.Count, 2, 99);
        Assert.InRange(seen.Steps[^1].Step - checkpoints.Count, 1, 2);
        Assert.All(checkpoints, c => RunCheckpoint.Open(c, Config).Dispose());
        Assert.DoesNotContain(Directory.GetDirectories(folder["checkpoints"]), d => Path.GetFileName(d).StartsWith('.'));
    }

    private AdamW Optimizer() => new(new AdamWOptions(), [.. _model.Weights.All.Select(w => new TrainedWeight(w.Spec.Name, w.Tensor, 1, 0))]);

    private CheckpointParts Parts(int step, AdamW optimizer) => CheckpointParts.Of(
        new TrainingState
        {
            Step = step,
            Stage = "train",
            StageIndex = 0,
            Tokens = 0,
            Cursor = default(DataCursor),
            OptimizerSteps = step,
            ElapsedSeconds = 0,
            Corpus = CorpusMark.Of(Tiny.Text(1)),
            Options = Tiny.Options(9),
        },
        _model.Weights,
        optimizer,
        scales: null);

    private void Spoil()
    {
        using var _ = no_grad();
        foreach (var (_, tensor) in _model.Weights.All)
        {
            tensor.zero_();
        }
    }
}
