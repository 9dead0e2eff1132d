using System.Runtime.InteropServices;
using System.Text;

namespace T2R.Interop.Cuda;

/// <summary>The functions of the CUDA driver API (cuda.h) that T2R needs: here those that describe devices. Each returns 0 or an error's number.</summary>
internal static unsafe partial class CudaDriver
{
    private const string Library = "libcuda.so.1";
    internal const int OutOfMemory = 2; // CUDA_ERROR_OUT_OF_MEMORY
    private const int Multiprocessors = 16, Major = 75, Minor = 76, SharedMemory = 97; // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, _COMPUTE_CAPABILITY_MAJOR, _MINOR, _MAX_SHARED_MEMORY_PER_BLOCK_OPTIN

    /// <summary>Whether the driver is installed and starts.</summary>
    public static bool IsPresent { get; } = NativeLibrary.TryLoad(Library, out _) && cuInit(0) == 0;

    /// <exception cref="InvalidOperationException">The driver reports an error.</exception>
    public static CudaDevice[] Devices()
    {
        Check(cuDeviceGetCount(out int count), nameof(cuDeviceGetCount));
        return [.. Enumerable.Range(0, count).Select(Describe)];
    }

    private static CudaDevice Describe(int index)
    {
        Check(cuDeviceGet(out int device, index), nameof(cuDeviceGet));
        byte* name = stackalloc byte[256];
        Check(cuDeviceGetName(name, 256, device), nameof(cuDeviceGetName));
        Check(cuDeviceTotalMem_v2(out nuint bytes, device), nameof(cuDeviceTotalMem_v2));
        Check(cuDeviceGetAttribute(out int major, Major, device), nameof(cuDeviceGetAttribute));
        Check(cuDeviceGetAttribute(out int minor, Minor, device), nameof(cuDeviceGetAttribute));
        Check(cuDeviceGetAttribute(out int shared, SharedMemory, device), nameof(cuDeviceGetAttribute));
        Check(cuDeviceGetAttribute(out int multiprocessors, Multiprocessors, device), nameof(cuDeviceGetAttribute));
        return new CudaDevice(
            index, Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name)), (long)bytes, new Version(major, minor), shared, multiprocessors);
    }

    /// <exception cref="InvalidOperationException">The function returned an error; its name and the driver's words for it.</exception>
    internal static void Check(int code, string function)
    {
        if (code != 0)
        {
            throw new InvalidOperationException($"the CUDA driver's {function} failed: {Text(code)}");
        }
    }

    private static string Text(int code)
    {
        byte* name = null, sentence = null;
        return cuGetErrorName(code, &name) == 0 && cuGetErrorString(code, &sentence) == 0
            ? $"{Marshal.PtrToStringUTF8((nint)name)}, {Marshal.PtrToStringUTF8((nint)sentence)}"
            : $"error {code}";
    }

    [LibraryImport(Library)]
    private static partial int cuInit(uint flags);

    [LibraryImport(Library)]
    private static partial int cuGetErrorName(int code, byte** name);

    [LibraryImport(Library)]
    private static partial int cuGetErrorString(int code, byte** sentence);

    [LibraryImport(Library)]
    private static partial int cuDeviceGetCount(out int count);

    [LibraryImport(Library)]
    private static partial int cuDeviceGet(out int device, int index);

    [LibraryImport(Library)]
    private static partial int cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    private static partial int cuDeviceTotalMem_v2(out nuint bytes, int device);

    [LibraryImport(Library)]
    private static partial int cuDeviceGetAttribute(out int value, int attribute, int device);
}
