using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace T2R.Interop;

/// <summary>
/// Calls an ATen operator by name through libtorch's dispatcher, so that autograd sees it. Arguments are eight bytes each
/// (PyTorch 2.10, torch/csrc/stable/c/shim.h and stableivalue_conversions.h): a tensor is an owned handle, a double its bits, an optional a pointer to
/// a malloc'ed box or null, a list an owned handle. The call consumes them all. Defaults must be spelled out.
/// </summary>
internal static unsafe class OperatorCall
{
    /// <summary>Calls an operator without overload name that returns one tensor.</summary>
    /// <param name="name">Namespace and name, such as <c>aten::rms_norm</c>; a UTF-8 literal, which ends in a zero byte.</param>
    /// <param name="arguments">One value for each argument of its schema, in order.</param>
    /// <exception cref="InvalidOperationException">libtorch refused.</exception>
    public static Tensor Invoke(ReadOnlySpan<byte> name, ReadOnlySpan<ulong> arguments) => Tensor.UnsafeCreateTensor((nint)Call(name, arguments));

    public static ulong Argument(Tensor tensor)
    {
        Shim.Check(Shim.aoti_torch_new_tensor_handle(tensor.Handle, out nint copy), "a tensor as an argument");
        return (ulong)copy;
    }

    public static ulong Argument(double value) => BitConverter.DoubleToUInt64Bits(value);

    public static ulong Argument(long value) => (ulong)value;

    public static ulong Argument(bool value) => value ? 1UL : 0UL;

    public static ulong Optional(Tensor? tensor) => tensor is null ? 0 : Box(Argument(tensor));

    public static ulong Optional(double? value) => value is null ? 0 : Box(Argument(value.Value));

    public static ulong Optional(ScalarType value) => Box((ulong)value);

    public static ulong List(ReadOnlySpan<long> values)
    {
        Shim.Check(Shim.torch_new_list_reserve_size((nuint)values.Length, out nint list), "a list of integers");
        foreach (long value in values)
        {
            Shim.Check(Shim.torch_list_push_back(list, (ulong)value), "a list of integers");
        }

        return (ulong)list;
    }

    // Results replace the arguments from the first place on.
    private static ulong Call(ReadOnlySpan<byte> name, ReadOnlySpan<ulong> arguments)
    {
        Span<ulong> stack = stackalloc ulong[arguments.Length];
        arguments.CopyTo(stack);
        fixed (byte* operatorName = name)
        fixed (byte* overload = "\0"u8)
        fixed (ulong* values = stack)
        {
            Shim.Check(Shim.torch_call_dispatcher(operatorName, overload, values, Shim.aoti_torch_abi_version()), System.Text.Encoding.UTF8.GetString(name));
        }

        return stack[0];
    }

    // libtorch frees the box.
    private static ulong Box(ulong value)
    {
        var box = (ulong*)NativeMemory.Alloc(sizeof(ulong));
        *box = value;
        return (ulong)box;
    }
}
