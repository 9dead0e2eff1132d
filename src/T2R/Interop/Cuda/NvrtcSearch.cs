using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace T2R.Interop.Cuda;

/// <summary>Where the kernel compiler may lie: with libtorch, among the packages beside an installed PyTorch, where the system's loader looks, in a CUDA toolkit.</summary>
internal static partial class NvrtcSearch
{
    private static readonly string[] ToolkitVariables = ["CUDA_HOME", "CUDA_PATH"];

    /// <summary>Loads the first that is found and is not newer than the driver.</summary>
    /// <param name="libtorchFolder">The folder libtorch was loaded from.</param>
    /// <exception cref="DllNotFoundException">There is none; says where it looked and what to install.</exception>
    public static nint Load(string libtorchFolder)
    {
        CudaDriver.Check(CudaDriver.cuDriverGetVersion(out int driver), nameof(CudaDriver.cuDriverGetVersion));
        int newest = driver / 1000;
        string[] folders = Folders(libtorchFolder);
        foreach (string file in folders.SelectMany(folder => Files(folder, newest)))
        {
            // It asks for its second half by name, where the system's loader may not look.
            foreach (string half in Directory.GetFiles(Path.GetDirectoryName(file)!, "libnvrtc-builtins*.so*"))
            {
                NativeLibrary.TryLoad(half, out _);
            }

            if (NativeLibrary.TryLoad(file, out nint handle))
            {
                return handle;
            }
        }

        for (int major = newest; major >= 11; major--)
        {
            if (NativeLibrary.TryLoad($"libnvrtc.so.{major}", out nint handle))
            {
                return handle;
            }
        }

        throw new DllNotFoundException(
            $"libnvrtc.so, CUDA's compiler of kernels, was not found; the driver takes versions up to {newest}. Looked where the system's loader does and in: {string.Join(", ", folders)}. "
            + "Install the Python package nvidia-cuda-nvrtc of libtorch's CUDA version beside PyTorch, or the CUDA toolkit, or name its folder in LD_LIBRARY_PATH.");
    }

    /// <summary>The folders that are there, in the order they are tried.</summary>
    internal static string[] Folders(string libtorchFolder)
    {
        string packages = Path.GetFullPath(Path.Combine(libtorchFolder, "..", "..", "nvidia"));
        string[] named = [.. ToolkitVariables.Select(Environment.GetEnvironmentVariable).OfType<string>().Where(v => v.Length > 0)];
        return
        [
            .. new[] { libtorchFolder }
                .Concat(Below(packages, "*").Select(package => Path.Combine(package, "lib")))
                .Concat(named.Concat(Below("/usr/local", "cuda*")).Select(toolkit => Path.Combine(toolkit, "lib64")))
                .Where(Directory.Exists),
        ];
    }

    /// <summary>The compilers in a folder, newest first, none newer than a driver's major version.</summary>
    internal static IEnumerable<string> Files(string folder, int newest) =>
        from file in Directory.GetFiles(folder, "libnvrtc*")
        let match = Name().Match(Path.GetFileName(file))
        where match.Success
        let major = match.Groups[1].Success ? int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : newest
        where major <= newest
        orderby major descending, file
        select file;

    private static IEnumerable<string> Below(string folder, string pattern) => Directory.Exists(folder) ? Directory.GetDirectories(folder, pattern).OrderDescending() : [];

    // libnvrtc.so, libnvrtc.so.13, libnvrtc.so.12.8.93 or, with libtorch, libnvrtc-120b3d3c.so.12.
    [GeneratedRegex(@"^libnvrtc(?:-[0-9a-f]+)?\.so(?:\.(\d+)(?:\.\d+)*)?$")]
    private static partial Regex Name();
}
