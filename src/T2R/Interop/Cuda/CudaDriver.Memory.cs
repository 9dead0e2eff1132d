using System.Runtime.InteropServices;

namespace T2R.Interop.Cuda;

/// <summary>Contexts, host memory, streams and events.</summary>
internal static unsafe partial class CudaDriver
{
    private static readonly PerCard<nint> Primary = new(RetainPrimary);

    /// <summary>The devices that this process computes on: libtorch, or <see cref="Enter"/>, has made their primary contexts. None when there is no driver, or it has failed.</summary>
    public static IEnumerable<int> DevicesInUse() =>
        IsPresent && cuDeviceGetCount(out int count) == 0
            ? Enumerable.Range(0, count).Where(i => cuDeviceGet(out int device, i) == 0 && cuDevicePrimaryCtxGetState(device, out _, out int active) == 0 && active != 0)
            : [];

    /// <summary>Makes the context that libtorch computes in on a device, its primary one, this thread's until the result is disposed.</summary>
    /// <param name="device">The device's index, as torch counts.</param>
    /// <exception cref="InvalidOperationException">There is no driver, or it reports an error.</exception>
    public static EnteredContext Enter(int device) => new(Primary[device]);

    private static nint RetainPrimary(int index)
    {
        if (!IsPresent)
        {
            throw new InvalidOperationException("there is no CUDA driver on this machine");
        }

        Check(cuDeviceGet(out int device, index), nameof(cuDeviceGet));
        Check(cuDevicePrimaryCtxRetain(out nint context, device), nameof(cuDevicePrimaryCtxRetain));
        return context;
    }

    [LibraryImport(Library)]
    private static partial int cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library)]
    private static partial int cuDevicePrimaryCtxGetState(int device, out uint flags, out int active);

    [LibraryImport(Library)]
    internal static partial int cuCtxGetCurrent(out nint context);

    [LibraryImport(Library)]
    internal static partial int cuCtxSetCurrent(nint context);

    [LibraryImport(Library)]
    internal static partial int cuMemGetInfo_v2(out nuint free, out nuint total);

    [LibraryImport(Library)]
    internal static partial int cuMemHostAlloc(out nint address, nuint bytes, uint flags);

    [LibraryImport(Library)]
    internal static partial int cuMemFreeHost(nint address);

    [LibraryImport(Library)]
    internal static partial int cuMemcpyHtoDAsync_v2(nint device, nint host, nuint bytes, nint stream);

    [LibraryImport(Library)]
    internal static partial int cuMemcpyDtoHAsync_v2(nint host, nint device, nuint bytes, nint stream);

    [LibraryImport(Library)]
    internal static partial int cuStreamCreate(out nint stream, uint flags);

    [LibraryImport(Library)]
    internal static partial int cuStreamDestroy_v2(nint stream);

    [LibraryImport(Library)]
    internal static partial int cuStreamWaitEvent(nint stream, nint @event, uint flags);

    [LibraryImport(Library)]
    internal static partial int cuStreamSynchronize(nint stream);

    [LibraryImport(Library)]
    internal static partial int cuEventCreate(out nint @event, uint flags);

    [LibraryImport(Library)]
    internal static partial int cuEventDestroy_v2(nint @event);

    [LibraryImport(Library)]
    internal static partial int cuEventRecord(nint @event, nint stream);

    [LibraryImport(Library)]
    internal static partial int cuEventSynchronize(nint @event);

    [LibraryImport(Library)]
    internal static partial int cuEventElapsedTime(out float milliseconds, nint start, nint end);
}
