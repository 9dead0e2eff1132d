using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>
/// What a block's forward leaves for the moment when it runs again for its backward. While it records, operators leave on it what was dear to compute; while it is
/// replayed they take that back in the same order, and one whose output nobody reads any more (<see cref="SwiGlu"/>, the block's last) does not compute it. A tape on
/// which nothing was recorded makes operators compute everything but that.
/// </summary>
public sealed class Tape : IDisposable
{
    private readonly Queue<Tensor> _kept = [];

    private Tape(bool isRecording) => IsRecording = isRecording;

    /// <summary>Whether operators leave their results here; otherwise they take them.</summary>
    public bool IsRecording { get; private set; }

    /// <summary>A tape to record a forward on.</summary>
    public static Tape Record() => new(isRecording: true);

    /// <summary>A tape for a forward that was not recorded.</summary>
    public static Tape Blank() => new(isRecording: false);

    /// <summary>Begins the replay of what was recorded.</summary>
    public void Rewind() => IsRecording = false;

    /// <summary>Refuses to record where a graph is built: what is kept would hold on to it, and a replay would build another.</summary>
    /// <exception cref="InvalidOperationException">The tape records, and gradients are enabled.</exception>
    internal void RefuseGraph()
    {
        if (IsRecording && is_grad_enabled())
        {
            throw new InvalidOperationException("a tape records a forward without gradients, and these are enabled");
        }
    }

    /// <summary>Leaves a result, without a copy.</summary>
    /// <param name="result">Goes on being the caller's.</param>
    public void Keep(Tensor result) => _kept.Enqueue(TensorMemory.Share(result).DetachFromDisposeScope());

    /// <summary>Takes the next result, which is then the caller's; null when nothing was recorded.</summary>
    public Tensor? Take() => IsRecording || !_kept.TryDequeue(out var kept) ? null : kept;

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var kept in _kept)
        {
            kept.Dispose();
        }

        _kept.Clear();
    }
}
