using static TorchSharp.torch;

namespace T2R.Interop;

/// <summary>
/// What the last backward of a <see cref="SafeFunction{T}"/> on this thread returned: native code takes its own references when the call has returned, and these handles
/// are let go of at the next chance.
/// </summary>
internal static class ReturnedGradients
{
    [ThreadStatic]
    private static List<Tensor?>? _last;

    internal static List<Tensor?> Keep(List<Tensor?> gradients) => _last = gradients;

    internal static void Release()
    {
        _last?.ForEach(t => t?.Dispose());
        _last = null;
    }
}
