using static TorchSharp.torch;

namespace T2R.Interop;

/// <summary>The functions that libtorch has MKL compute on a CPU (aten/src/ATen/cpu/vml.h of PyTorch 2.10), a share of the elements on each thread.</summary>
internal static class VectorMath
{
    private static readonly Func<Tensor, Tensor>[] Functions =
    [
        x => x.acos(), x => x.asin(), x => x.atan(), x => x.cos(), x => x.sin(), x => x.tan(), x => x.tanh(), x => x.sqrt(), x => x.trunc(),
        x => x.exp(), x => x.log(), x => x.log2(), x => x.log10(), x => x.erf(), x => x.erfc(), x => x.erfinv(),
    ];

    /// <summary>
    /// Calls each function once, on this thread alone. MKL looks for a function's code for this processor in the function's first call, and a thread that calls it
    /// meanwhile may be given other code, right to 4 digits, for its whole share (MKL 2024.2; pytorch/pytorch#188792).
    /// </summary>
    public static void Settle()
    {
        using var scope = NewDisposeScope();
        foreach (var dtype in (ScalarType[])[ScalarType.Float32, ScalarType.Float64])
        {
            // One element: several would do as well, unless there were enough of them to be shared out among threads.
            var half = full([1], 0.5, dtype);
            Array.ForEach(Functions, f => f(half));
        }
    }
}
