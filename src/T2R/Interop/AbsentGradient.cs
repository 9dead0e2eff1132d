using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace T2R.Interop;

/// <summary>
/// The gradient of an output that nobody used reaches a backward as a tensor without a handle. TorchSharp 0.107 counts it when it is made and not
/// when it is disposed; without this <c>Tensor.TotalCount</c> would grow with every step, and no longer tell a leak.
/// </summary>
internal static class AbsentGradient
{
    internal static void Dispose(Tensor gradient)
    {
        bool absent = gradient.IsInvalid;
        gradient.Dispose();
        if (absent)
        {
            Interlocked.Decrement(ref TotalCount(null));
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.StaticField, Name = "_totalCount")]
    private static extern ref long TotalCount(Tensor? type);
}
