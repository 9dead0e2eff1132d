using System.Runtime.InteropServices;

namespace T2R.Interop.Cuda;

/// <summary>Compiled kernels and their launch.</summary>
internal static unsafe partial class CudaDriver
{
    [LibraryImport(Library)]
    internal static partial int cuDriverGetVersion(out int version);

    [LibraryImport(Library)]
    internal static partial int cuModuleLoadData(out nint module, byte* image);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int cuModuleGetFunction(out nint function, nint module, string name);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int cuModuleGetGlobal_v2(out nint address, out nuint bytes, nint module, string name);

    [LibraryImport(Library)]
    internal static partial int cuMemcpyDtoH_v2(void* to, nint from, nuint bytes);

    [LibraryImport(Library)]
    internal static partial int cuFuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Library)]
    internal static partial int cuLaunchKernel(
        nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes, nint stream, void** arguments, void** extra);
}
