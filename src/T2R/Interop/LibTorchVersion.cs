using System.Runtime.InteropServices;

namespace T2R.Interop;

/// <summary>Reads the version out of a loaded libtorch_cpu.so.</summary>
internal static unsafe class LibTorchVersion
{
    /// <summary>
    /// The version that <c>aoti_torch_abi_version</c> states: major, minor and patch in the three highest bytes (torch/headeronly/version.h).
    /// Zero for a libtorch too old to have that function.
    /// </summary>
    public static Version Of(nint libtorchCpu)
    {
        if (!NativeLibrary.TryGetExport(libtorchCpu, "aoti_torch_abi_version", out nint function))
        {
            return new Version(0, 0, 0);
        }

        ulong packed = ((delegate* unmanaged<ulong>)function)();
        return new Version((int)(packed >> 56), (int)(packed >> 48) & 0xff, (int)(packed >> 40) & 0xff);
    }
}
