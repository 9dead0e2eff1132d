using T2R.Interop;

namespace T2R.Training;

/// <summary>
/// Saves checkpoints behind training's back: training waits for a copy to host memory, and while it goes on another thread writes that. One checkpoint is written at a
/// time. Where memory does not suffice for the copy, training waits for the disk.
/// </summary>
/// <param name="write">Writes a checkpoint, whole or not at all.</param>
/// <param name="warn">Hears, once, that memory does not suffice.</param>
/// <param name="available">Bytes of host memory that are free.</param>
internal sealed class CheckpointSaver(Action<CheckpointParts> write, Action<string> warn, Func<long>? available = null) : IDisposable
{
    // Host memory that is left to everything else.
    private const long Spared = 1L << 30;

    private readonly Func<long> _available = available ?? HostMemory.Available;
    private Task _writing = Task.CompletedTask;
    private bool _hasWarned;

    /// <summary>Saves; whatever was still being written is waited for first.</summary>
    /// <param name="live">The tensors as they are; training may change them when this returns.</param>
    /// <exception cref="IOException">The disk is full or fails; the checkpoints so far are intact.</exception>
    public void Save(CheckpointParts live)
    {
        Wait();
        long free = _available();
        if (free - Spared < live.ByteCount)
        {
            WarnOnce(live.ByteCount, free);
            write(live);
            return;
        }

        var copy = live.Copy();
        _writing = Task.Factory.StartNew(
            () =>
            {
                using (copy)
                {
                    write(copy);
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
    }

    /// <summary>Throws if the last checkpoint could not be written; does not wait.</summary>
    /// <exception cref="IOException">The disk is full or fails; the checkpoints so far are intact.</exception>
    public void ThrowIfFailed()
    {
        if (_writing.IsFaulted)
        {
            Wait();
        }
    }

    /// <summary>Waits until the last checkpoint is written.</summary>
    /// <exception cref="IOException">The disk is full or fails; the checkpoints so far are intact.</exception>
    public void Wait()
    {
        var writing = _writing;
        Task.WaitAny(writing);
        _writing = Task.CompletedTask; // a failure is told once
        writing.GetAwaiter().GetResult();
    }

    /// <summary>Waits likewise; if it fails, whoever ends the run here has another reason to.</summary>
    public void Dispose() => Task.WaitAny(_writing);

    private void WarnOnce(long needed, long free)
    {
        if (!_hasWarned)
        {
            _hasWarned = true;
            warn($"Host memory has no room for a copy of the checkpoint ({needed / 1e9:F1} GB needed, {Math.Max(0, free - Spared) / 1e9:F1} GB free), so training waits while checkpoints are written.");
        }
    }
}
