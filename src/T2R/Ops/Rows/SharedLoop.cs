using T2R.Interop;

namespace T2R.Ops.Rows;

/// <summary>Runs loops on libtorch's threads, or, those too short to be worth waking them, on the caller's.</summary>
internal sealed class SharedLoop : IDisposable
{
    // Waking the threads and waiting for them takes some ten microseconds, in which one thread reads a tenth of so many weights.
    private const long WorthSharing = 1 << 20;

    private readonly TorchLoop _loop = new();

    /// <summary>Runs a body for each of 0 … count − 1.</summary>
    /// <param name="count">How many.</param>
    /// <param name="work">What all of them together take, roughly, in weights that one row of inputs could be multiplied by instead.</param>
    /// <param name="body">May run on several threads at once.</param>
    internal void Run(int count, long work, Action<int> body)
    {
        if (work >= WorthSharing)
        {
            _loop.Run(count, body);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            body(i);
        }
    }

    /// <inheritdoc />
    public void Dispose() => _loop.Dispose();
}
