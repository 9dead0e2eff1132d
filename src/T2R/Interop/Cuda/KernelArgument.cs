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
    public static implicit operator KernelArgument(Tensor tensor) =>
        tensor.device_type == TorchSharp.DeviceType.CUDA && tensor.is_contiguous()
            ? new((ulong)TensorMemory.DataPointer(tensor))
            : throw new ArgumentException($"the tensor [{string.Join(", ", tensor.shape)}] is on {tensor.device}; a kernel needs it contiguous on the card", nameof(tensor));

    /// <summary>A pointer.</summary>
    public static implicit operator KernelArgument(nint address) => new((ulong)address);

    /// <summary>An <c>int</c>.</summary>
    public static implicit operator KernelArgument(int value) => new((uint)value);

    /// <summary>An <c>unsigned int</c>.</summary>
    public static implicit operator KernelArgument(uint value) => new(value);

    /// <summary>A <c>long long</c>.</summary>
    public static implicit operator KernelArgument(long value) => new((ulong)value);

    /// <summary>A <c>float</c>.</summary>
    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value));
}
