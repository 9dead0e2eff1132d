using static TorchSharp.torch;

namespace T2R.Interop.Cuda;

/// <summary>One argument of a kernel. The kernel reads as many of its bytes as its own parameter has, so each must have exactly the parameter's type.</summary>
internal readonly struct KernelArgument
{
    private KernelArgument(ulong bits) => Bits = bits;

    /// <summary>The value, in the low bytes.</summary>
    internal ulong Bits { get; }

    /// <summary>A pointer to a tensor's first element.</summary>
    /// <exception cref="ArgumentException">The tensor is not on a card or not contiguous.</exception>
    public static implicit operator KernelArgument(Tensor tensor) => Element(tensor, 0);

    /// <summary>A pointer to one of a tensor's elements, or one that is null.</summary>
    /// <param name="tensor">The tensor; or null.</param>
    /// <param name="element">Which, in row-major order.</param>
    /// <exception cref="ArgumentException">The tensor is not on a card or not contiguous.</exception>
    public static KernelArgument Element(Tensor? tensor, long element)
    {
        if (tensor is null)
        {
            return default;
        }

        return tensor.device_type == TorchSharp.DeviceType.CUDA && tensor.is_contiguous()
            ? new((ulong)TensorMemory.DataPointer(tensor) + (ulong)(element * tensor.element_size()))
            : throw new ArgumentException($"the tensor [{string.Join(", ", tensor.shape)}] is on {tensor.device}; a kernel needs it contiguous on the card", nameof(tensor));
    }

    /// <summary>An <c>int</c>.</summary>
    public static implicit operator KernelArgument(int value) => new((uint)value);

    /// <summary>An <c>unsigned int</c>.</summary>
    public static implicit operator KernelArgument(uint value) => new(value);

    /// <summary>A <c>long long</c>.</summary>
    public static implicit operator KernelArgument(long value) => new((ulong)value);

    /// <summary>A <c>float</c>.</summary>
    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value));
}
