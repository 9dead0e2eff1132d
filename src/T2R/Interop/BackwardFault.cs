using System.Runtime.ExceptionServices;

namespace T2R.Interop;

/// <summary>The first exception thrown inside a backward, kept until someone asks: a backward may run on a thread of libtorch's.</summary>
internal static class BackwardFault
{
    private static ExceptionDispatchInfo? _first;

    internal static void Record(Exception exception) => Interlocked.CompareExchange(ref _first, ExceptionDispatchInfo.Capture(exception), null);

    internal static ExceptionDispatchInfo? Take() => Interlocked.Exchange(ref _first, null);
}
