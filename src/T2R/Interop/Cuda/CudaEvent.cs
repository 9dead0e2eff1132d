namespace T2R.Interop.Cuda;

/// <summary>A place in a stream's work that others can wait for.</summary>
public sealed class CudaEvent : IDisposable
{
    private const uint WithoutTiming = 2; // CU_EVENT_DISABLE_TIMING
    private readonly int _device;
    private readonly nint _handle;
    private bool _isDisposed;

    /// <summary>Makes an event that nothing precedes yet: who waits for it goes on.</summary>
    /// <param name="device">The card whose streams record it; those of any may wait for it.</param>
    /// <param name="timed">Whether <see cref="MillisecondsSince"/> is wanted; waiting is then a little slower.</param>
    /// <exception cref="InvalidOperationException">There is no driver, or it reports an error.</exception>
    public CudaEvent(int device, bool timed = false)
    {
        _device = device;
        using var context = CudaDriver.Enter(device);
        CudaDriver.Check(CudaDriver.cuEventCreate(out _handle, timed ? 0 : WithoutTiming), nameof(CudaDriver.cuEventCreate));
    }

    internal nint Handle => _isDisposed ? throw new ObjectDisposedException(nameof(CudaEvent)) : _handle;

    /// <summary>Waits on this thread until all that preceded the event's last recording is done.</summary>
    public void Synchronize()
    {
        using var context = CudaDriver.Enter(_device);
        CudaDriver.Check(CudaDriver.cuEventSynchronize(Handle), nameof(CudaDriver.cuEventSynchronize));
    }

    /// <summary>The device's time between two recordings of timed events, both reached.</summary>
    /// <param name="start">The earlier.</param>
    public double MillisecondsSince(CudaEvent start)
    {
        ArgumentNullException.ThrowIfNull(start);
        using var context = CudaDriver.Enter(_device);
        CudaDriver.Check(CudaDriver.cuEventElapsedTime(out float milliseconds, start.Handle, Handle), nameof(CudaDriver.cuEventElapsedTime));
        return milliseconds;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            using var context = CudaDriver.Enter(_device);
            CudaDriver.Check(CudaDriver.cuEventDestroy_v2(_handle), nameof(CudaDriver.cuEventDestroy_v2));
        }
    }
}
