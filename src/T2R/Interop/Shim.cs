using System.Runtime.InteropServices;

namespace T2R.Interop;

/// <summary>
/// libtorch's C functions (torch/csrc/inductor/aoti_torch/c/shim.h and torch/csrc/stable/c/shim.h of PyTorch 2.10). A tensor handle is a pointer to
/// at::Tensor, the same as TorchSharp's <c>Tensor.Handle</c>. Each returns 0, or 1 after writing what went wrong to standard error.
/// </summary>
internal static unsafe partial class Shim
{
    public const string Library = "libtorch_cpu";

    [LibraryImport(Library)]
    public static partial ulong aoti_torch_abi_version();

    [LibraryImport(Library)]
    public static partial int aoti_torch_get_data_ptr(nint tensor, out nint address);

    [LibraryImport(Library)]
    public static partial int aoti_torch_new_tensor_handle(nint tensor, out nint copy);

    [LibraryImport(Library)]
    public static partial int aoti_torch_create_tensor_from_blob_v2(
        nint data, long dimensions, long* sizes, long* strides, long storageOffset, int scalarType, int deviceType, int deviceIndex, out nint tensor, int layout, byte* opaque, long opaqueSize);

    [LibraryImport(Library)]
    public static partial int torch_call_dispatcher(byte* name, byte* overload, ulong* stack, ulong abiVersion);

    [LibraryImport(Library)]
    public static partial int torch_new_list_reserve_size(nuint size, out nint list);

    [LibraryImport(Library)]
    public static partial int torch_list_push_back(nint list, ulong value);

    [LibraryImport(Library)]
    public static partial int torch_parallel_for(
        long begin, long end, long grainSize, delegate* unmanaged[Cdecl]<long, long, nint, void> body, nint context);

    /// <exception cref="InsufficientMemoryException">The function reported a failure, and a card it works on is full.</exception>
    /// <exception cref="InvalidOperationException">The function reported a failure.</exception>
    public static void Check(int code, string what)
    {
        if (code != 0)
        {
            string sentence = $"libtorch refused {what}; it wrote the reason to standard error.{LastError()}";
            throw Cuda.CudaMemory.OfFullest() is { IsFull: true } ? new InsufficientMemoryException($"{sentence} {MemoryShortage.CardIsFull}") : new InvalidOperationException(sentence);
        }
    }

    // libtorch keeps the text for callers from 2.13 on.
    private static string LastError()
    {
        nint library = NativeLibrary.Load(Library, typeof(Shim).Assembly, null);
        return NativeLibrary.TryGetExport(library, "torch_exception_get_what_without_backtrace", out nint function)
            ? " " + Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<byte*>)function)())
            : "";
    }
}
