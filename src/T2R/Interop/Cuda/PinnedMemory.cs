using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Interop.Cuda;

/// <summary>Host memory that stays in place, so that a card copies to and from it by itself while both sides work on.</summary>
public sealed class PinnedMemory : IDisposable
{
    private const uint Portable = 1; // CU_MEMHOSTALLOC_PORTABLE
    private readonly int _device;
    private nint _address;

    /// <summary>Takes memory; pages are pinned at once, which takes about 0.3 s for each GiB.</summary>
    /// <param name="device">The index of the card whose context asks for it; every card can copy from and to it.</param>
    /// <param name="byteCount">How much.</param>
    /// <exception cref="InsufficientMemoryException">The system does not give so much.</exception>
    /// <exception cref="InvalidOperationException">There is no driver, or it reports an error.</exception>
    public PinnedMemory(int device, long byteCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(byteCount);
        _device = device;
        using var context = CudaDriver.Enter(device);
        int code = CudaDriver.cuMemHostAlloc(out _address, checked((nuint)byteCount), Portable);
        if (code == CudaDriver.OutOfMemory)
        {
            throw new InsufficientMemoryException($"the system does not give {byteCount:N0} bytes of pinned host memory");
        }

        CudaDriver.Check(code, nameof(CudaDriver.cuMemHostAlloc));
        ByteCount = byteCount;
    }

    /// <summary>Its size.</summary>
    public long ByteCount { get; }

    /// <summary>Its first byte.</summary>
    public nint Address => _address != 0 ? _address : throw new ObjectDisposedException(nameof(PinnedMemory));

    /// <summary>A CPU tensor over a part of it, which must be disposed before the memory.</summary>
    /// <param name="offset">The first byte, a multiple of the element's size.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="dtype">The elements' type.</param>
    /// <exception cref="ArgumentOutOfRangeException">The part is not within the memory.</exception>
    public Tensor View(long offset, ReadOnlySpan<long> shape, ScalarType dtype)
    {
        long bytes = dtype.ElementSize();
        foreach (long size in shape)
        {
            bytes = checked(bytes * size);
        }

        if (offset < 0 || bytes < 0 || offset + bytes > ByteCount)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{bytes} bytes from here are not within {ByteCount}");
        }

        return TensorMemory.FromMemory(Address + (nint)offset, shape, dtype);
    }

    /// <summary>Gives the memory back. No copy from or to it may be under way.</summary>
    public void Dispose()
    {
        if (_address != 0)
        {
            using var context = CudaDriver.Enter(_device);
            CudaDriver.Check(CudaDriver.cuMemFreeHost(_address), nameof(CudaDriver.cuMemFreeHost));
            _address = 0;
        }
    }
}
