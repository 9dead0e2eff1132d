using static TorchSharp.torch;

namespace T2R.Interop;

/// <summary>The bytes behind a tensor, and tensors over bytes that belong to someone else.</summary>
public static unsafe class TensorMemory
{
    /// <summary>The address of the tensor's first element, on its device, its storage offset counted. Valid while the tensor lives.</summary>
    /// <param name="tensor">Any dense tensor of any shape.</param>
    public static nint DataPointer(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        Shim.Check(Shim.aoti_torch_get_data_ptr(tensor.Handle, out nint address), "the address of a tensor");
        return address;
    }

    /// <summary>An uninitialised CPU tensor that is going to be filled at once, in large pages where the system has them.</summary>
    /// <param name="shape">Its sizes.</param>
    /// <param name="dtype">Its type.</param>
    /// <returns>The tensor, owned by the current dispose scope.</returns>
    internal static Tensor ToBeFilled(ReadOnlySpan<long> shape, ScalarType dtype)
    {
        Tensor tensor = empty(shape, dtype, CPU);
        Posix.PreferHugePages(DataPointer(tensor), tensor.numel() * tensor.element_size());
        return tensor;
    }

    /// <summary>A second handle of the same tensor, autograd's view of it included; it must be disposed by itself.</summary>
    /// <param name="tensor">Any tensor.</param>
    public static Tensor Share(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        Shim.Check(Shim.aoti_torch_new_tensor_handle(tensor.Handle, out nint copy), "a second handle of a tensor");
        return Tensor.UnsafeCreateTensor(copy);
    }

    /// <summary>The elements of a contiguous CPU tensor in place, row-major. Valid while the tensor lives: keep a reference to it.</summary>
    /// <param name="tensor">Of any shape; scalars give one element.</param>
    /// <typeparam name="T">The dtype's own type; or an unsigned integer of its size for the raw bits, as <see cref="ushort"/> for bfloat16.</typeparam>
    /// <exception cref="ArgumentException">The tensor is not on the CPU, not contiguous, too long for a span, or its dtype is not <typeparamref name="T"/>.</exception>
    public static Span<T> AsSpan<T>(Tensor tensor)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.device_type != TorchSharp.DeviceType.CPU)
        {
            throw new ArgumentException($"the tensor is on {tensor.device}; a span needs it on the CPU: copy it with cpu()", nameof(tensor));
        }

        if (!tensor.is_contiguous())
        {
            throw new ArgumentException($"the tensor [{string.Join(", ", tensor.shape)}] has strides [{string.Join(", ", tensor.stride())}]; a span needs it contiguous", nameof(tensor));
        }

        if (!CanRead<T>(tensor.dtype))
        {
            throw new ArgumentException($"the tensor's dtype is {tensor.dtype}, whose elements are not {typeof(T).Name}", nameof(tensor));
        }

        if (tensor.numel() > int.MaxValue)
        {
            throw new ArgumentException($"the tensor has {tensor.numel()} elements, more than a span can hold: take a slice of it", nameof(tensor));
        }

        return new Span<T>((void*)DataPointer(tensor), (int)tensor.numel());
    }

    /// <summary>The elements of a contiguous CPU tensor in place, to be kept: the checks are made once. The tensor must not be disposed meanwhile.</summary>
    /// <inheritdoc cref="AsSpan{T}" />
    public static Memory<T> AsMemory<T>(Tensor tensor)
        where T : unmanaged => new TensorElements<T>(tensor).Memory;

    /// <summary>The bytes of a contiguous CPU tensor in place, whatever its dtype. Valid while the tensor lives: keep a reference to it.</summary>
    /// <param name="tensor">Of any shape, at most 2 GiB.</param>
    /// <exception cref="ArgumentException">The tensor is not on the CPU or not contiguous.</exception>
    /// <exception cref="OverflowException">The tensor is too long for a span.</exception>
    public static Span<byte> Bytes(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensor.device_type == TorchSharp.DeviceType.CPU && tensor.is_contiguous()
            ? new Span<byte>((void*)DataPointer(tensor), checked((int)(tensor.numel() * tensor.element_size())))
            : throw new ArgumentException($"the tensor [{string.Join(", ", tensor.shape)}] is on {tensor.device}; its bytes need it contiguous on the CPU", nameof(tensor));
    }

    /// <summary>A part of a contiguous CPU tensor's bytes in place, for tensors of any size. Valid while the tensor lives: keep a reference to it.</summary>
    /// <param name="tensor">Of any shape.</param>
    /// <param name="offset">The first byte.</param>
    /// <param name="count">How many.</param>
    /// <exception cref="ArgumentException">The tensor is not on the CPU or not contiguous, or has no such bytes.</exception>
    public static Span<byte> Bytes(Tensor tensor, long offset, int count)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, (tensor.numel() * tensor.element_size()) - offset);
        return tensor.device_type == TorchSharp.DeviceType.CPU && tensor.is_contiguous()
            ? new Span<byte>((byte*)DataPointer(tensor) + offset, count)
            : throw new ArgumentException($"the tensor [{string.Join(", ", tensor.shape)}] is on {tensor.device}; its bytes need it contiguous on the CPU", nameof(tensor));
    }

    /// <summary>A contiguous CPU tensor over memory that stays the caller's: nothing is copied, and disposing the tensor frees nothing of it.</summary>
    /// <param name="address">The first element; the memory must outlive the tensor and every view of it. Writing to the tensor writes there.</param>
    /// <param name="shape">The sizes, none negative; empty for a scalar.</param>
    /// <param name="dtype">The elements' type; the address should be aligned to it.</param>
    /// <exception cref="ArgumentException">A size is negative, or the address is null and the tensor is not empty.</exception>
    public static Tensor FromMemory(nint address, ReadOnlySpan<long> shape, ScalarType dtype)
    {
        Span<long> strides = stackalloc long[shape.Length];
        long stride = 1;
        bool empty = false;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(shape[i], nameof(shape));
            strides[i] = stride;
            stride = checked(stride * Math.Max(shape[i], 1));
            empty |= shape[i] == 0;
        }

        if (address == 0 && !empty)
        {
            throw new ArgumentException("a tensor with elements needs memory", nameof(address));
        }

        // TorchSharp's ScalarType and DeviceType have the numbers of libtorch's; layout 0 is strided.
        fixed (long* sizes = shape, steps = strides)
        {
            int code = Shim.aoti_torch_create_tensor_from_blob_v2(address, shape.Length, sizes, steps, 0, (int)dtype, (int)TorchSharp.DeviceType.CPU, 0, out nint handle, 0, null, 0);
            Shim.Check(code, $"a tensor [{string.Join(", ", shape.ToArray())}] of {dtype} over memory");
            return Tensor.UnsafeCreateTensor(handle);
        }
    }

    private static bool CanRead<T>(ScalarType dtype)
        where T : unmanaged => dtype switch
        {
            ScalarType.Byte => typeof(T) == typeof(byte),
            ScalarType.Bool => typeof(T) == typeof(bool) || typeof(T) == typeof(byte),
            ScalarType.Int8 => typeof(T) == typeof(sbyte) || typeof(T) == typeof(byte),
            ScalarType.Int16 => typeof(T) == typeof(short) || typeof(T) == typeof(ushort),
            ScalarType.Float16 => typeof(T) == typeof(Half) || typeof(T) == typeof(ushort),
            ScalarType.BFloat16 => typeof(T) == typeof(ushort),
            ScalarType.Int32 => typeof(T) == typeof(int) || typeof(T) == typeof(uint),
            ScalarType.Float32 => typeof(T) == typeof(float) || typeof(T) == typeof(uint),
            ScalarType.Int64 => typeof(T) == typeof(long) || typeof(T) == typeof(ulong),
            ScalarType.Float64 => typeof(T) == typeof(double) || typeof(T) == typeof(ulong),
            _ => false,
        };
}
