using System.Buffers;
using static TorchSharp.torch;

namespace T2R.Interop;

/// <summary>A CPU tensor's elements as memory that can be kept; the tensor must live as long.</summary>
internal sealed unsafe class TensorElements<T> : MemoryManager<T>
    where T : unmanaged
{
    // Held, so that the collector does not take it.
    private readonly Tensor _tensor;
    private readonly T* _address;
    private readonly int _length;

    internal TensorElements(Tensor tensor)
    {
        // Checks that there is such a span.
        _length = TensorMemory.AsSpan<T>(tensor).Length;
        _address = (T*)TensorMemory.DataPointer(tensor);
        _tensor = tensor;
    }

    /// <inheritdoc />
    public override Span<T> GetSpan() => new(_address, _length);

    /// <inheritdoc />
    public override MemoryHandle Pin(int elementIndex = 0) => new(_address + elementIndex);

    /// <inheritdoc />
    public override void Unpin() => GC.KeepAlive(_tensor);

    /// <inheritdoc />
    protected override void Dispose(bool disposing)
    {
    }
}
