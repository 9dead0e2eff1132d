namespace T2R.Interop.Cuda;

/// <summary>
/// A queue of work on the card. Work of one stream is done in order; between streams there is no order but the events that one waits for. Memory that another
/// stream than torch's touches must outlive that work: torch's allocator does not know of it, so let <see cref="Torch"/> wait for it before a tensor is disposed.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Naming", "CA1711", Justification = "A stream is what CUDA calls it.")]
public sealed class CudaStream : IDisposable
{
    private const uint NonBlocking = 1; // CU_STREAM_NON_BLOCKING
    private static readonly PerCard<CudaStream> OfTorch = new(device => new CudaStream(device, 0));
    private readonly nint _handle;
    private bool _isDisposed;

    /// <summary>Makes a stream that runs beside torch's.</summary>
    /// <param name="device">The card's index.</param>
    /// <exception cref="InvalidOperationException">There is no driver, or it reports an error.</exception>
    public CudaStream(int device)
    {
        Device = device;
        using var context = CudaDriver.Enter(device);
        CudaDriver.Check(CudaDriver.cuStreamCreate(out _handle, NonBlocking), nameof(CudaDriver.cuStreamCreate));
    }

    private CudaStream(int device, nint handle) => (Device, _handle) = (device, handle);

    /// <summary>The index of the card that works on it.</summary>
    public int Device { get; }

    internal nint Handle => _isDisposed ? throw new ObjectDisposedException(nameof(CudaStream)) : _handle;

    /// <summary>The stream that libtorch works on: a card's default one.</summary>
    /// <param name="device">The card's index, such as a tensor's.</param>
    public static CudaStream Torch(int device) => OfTorch[device];

    /// <summary>Lets the event stand for all work so far.</summary>
    /// <param name="mark">The event; its earlier recording is forgotten.</param>
    public void Record(CudaEvent mark)
    {
        ArgumentNullException.ThrowIfNull(mark);
        using var context = CudaDriver.Enter(Device);
        CudaDriver.Check(CudaDriver.cuEventRecord(mark.Handle, Handle), nameof(CudaDriver.cuEventRecord));
    }

    /// <summary>Lets later work wait on the card for an event; the calling thread goes on.</summary>
    /// <param name="mark">The event as recorded last.</param>
    public void WaitFor(CudaEvent mark)
    {
        ArgumentNullException.ThrowIfNull(mark);
        using var context = CudaDriver.Enter(Device);
        CudaDriver.Check(CudaDriver.cuStreamWaitEvent(Handle, mark.Handle, 0), nameof(CudaDriver.cuStreamWaitEvent));
    }

    /// <summary>Copies host memory to the card; the calling thread goes on if that memory is pinned.</summary>
    /// <param name="device">To where.</param>
    /// <param name="host">From where; unchanged until the copy is done.</param>
    /// <param name="byteCount">How much.</param>
    public void CopyToDevice(nint device, nint host, long byteCount)
    {
        using var context = CudaDriver.Enter(Device);
        CudaDriver.Check(CudaDriver.cuMemcpyHtoDAsync_v2(device, host, checked((nuint)byteCount), Handle), nameof(CudaDriver.cuMemcpyHtoDAsync_v2));
    }

    /// <summary>Copies memory of the card to the host; the calling thread goes on if that memory is pinned.</summary>
    /// <param name="host">To where; unread until the copy is done.</param>
    /// <param name="device">From where.</param>
    /// <param name="byteCount">How much.</param>
    public void CopyToHost(nint host, nint device, long byteCount)
    {
        using var context = CudaDriver.Enter(Device);
        CudaDriver.Check(CudaDriver.cuMemcpyDtoHAsync_v2(host, device, checked((nuint)byteCount), Handle), nameof(CudaDriver.cuMemcpyDtoHAsync_v2));
    }

    /// <summary>Waits on this thread until all work so far is done.</summary>
    public void Synchronize()
    {
        using var context = CudaDriver.Enter(Device);
        CudaDriver.Check(CudaDriver.cuStreamSynchronize(Handle), nameof(CudaDriver.cuStreamSynchronize));
    }

    /// <summary>Ends the stream; its work is still done. Torch's goes on.</summary>
    public void Dispose()
    {
        if (_handle != 0 && !_isDisposed)
        {
            _isDisposed = true;
            using var context = CudaDriver.Enter(Device);
            CudaDriver.Check(CudaDriver.cuStreamDestroy_v2(_handle), nameof(CudaDriver.cuStreamDestroy_v2));
        }
    }
}
