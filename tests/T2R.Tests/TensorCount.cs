using static TorchSharp.torch;

namespace T2R.Tests;

/// <summary>Counting tensors, to find those that are left behind.</summary>
internal static class TensorCount
{
    /// <summary>
    /// The tensors of the process, once the collector has taken those that earlier tests let go: else it may take them in the middle of a test, and the count
    /// falls for no reason of the test's.
    /// </summary>
    public static long Settled()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Tensor.TotalCount;
    }
}
