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
    internal static partial int cuLaunchKernelEx(LaunchConfig* launch, nint function, void** arguments, void** extra);

    internal const int ProgrammaticStreamSerialization = 6; // CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION

    /// <summary>CUlaunchConfig.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct LaunchConfig
    {
        public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;
        public nint Stream, Attributes;
        public uint AttributeCount;
    }

    /// <summary>CUlaunchAttribute, of a whole number's value.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 72)]
    internal struct LaunchAttribute
    {
        [FieldOffset(0)]
        public int Id;

        [FieldOffset(8)]
        public int Value;
    }
}
