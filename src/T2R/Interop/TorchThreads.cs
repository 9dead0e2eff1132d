namespace T2R.Interop;

/// <summary>
/// Managed loops on libtorch's own CPU threads. A second team of threads would share the cores with libtorch's, which wait for their next
/// operator by spinning; and this way one setting, libtorch's, says how many threads there are.
/// </summary>
public static class TorchThreads
{
    /// <summary>Runs a body for each of 0 … count − 1, each once, in no particular order; returns when all are done.</summary>
    /// <param name="count">How many.</param>
    /// <param name="body">May run on several threads at once. After an exception the rest is not started, and the exception is thrown here.</param>
    public static void ForEach(int count, Action<int> body)
    {
        using var loop = new TorchLoop();
        loop.Run(count, body);
    }
}
