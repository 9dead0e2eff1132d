using System.Runtime.InteropServices;
using T2R.Interop.Cuda;
using TorchSharp;

namespace T2R.Interop;

/// <summary>
/// Loads libtorch from an absolute path, and TorchSharp's native library over it, before TorchSharp searches by itself. Call <see cref="Load"/> before
/// the first touch of <see cref="torch"/>: that class loads its backend in a static field, and its own search copies half a gigabyte when it fails.
/// </summary>
public static class LibTorch
{
    /// <summary>The oldest libtorch that TorchSharp's native library and the C functions of <see cref="Dispatcher"/> run over.</summary>
    public static readonly Version OldestSupported = new(2, 10, 0);

    private static readonly Lazy<LibTorchReport> Loaded = new(LoadOnce);

    /// <summary>What was loaded, and why; loads first when nothing was yet.</summary>
    /// <exception cref="UserErrorException">As <see cref="Load"/>.</exception>
    /// <exception cref="DllNotFoundException">As <see cref="Load"/>.</exception>
    public static LibTorchReport Report => Loaded.Value;

    /// <summary>Loads once (about 0.2 s); later calls return at once, or throw again what the first one threw.</summary>
    /// <exception cref="UserErrorException">The folder that T2R_LIBTORCH names is not there, or holds no libtorch that can be used.</exception>
    /// <exception cref="DllNotFoundException">No libtorch was found, or the one found cannot be loaded; says where it looked and what to do.</exception>
    public static void Load() => _ = Loaded.Value;

    private static LibTorchReport LoadOnce()
    {
        LibTorchFolder folder = LibTorchSearch.Find();
        string sharp = LibTorchSearch.FindLibTorchSharp();
        MappedLibraries.RequireNoOther("libtorch_cpu.so", folder.Path);
        try
        {
            return LoadFrom(folder, sharp);
        }
        catch (DllNotFoundException e)
        {
            string problem = $"libtorch in {folder.Path} ({folder.ChosenBy}) cannot be loaded: {e.Message} Expected libtorch {OldestSupported} or newer for Linux x64.";
            throw folder.IsUsersChoice ? new UserErrorException(problem, e) : new DllNotFoundException($"{problem} {LibTorchSearch.Remedies}", e);
        }
    }

    private static LibTorchReport LoadFrom(LibTorchFolder folder, string sharp)
    {
        // OpenMP's threads spin for work by default; where other processes want the cores, each product then waits out a time slice. Costs nothing on a quiet machine.
        Posix.Default("OMP_WAIT_POLICY", "PASSIVE");

        // Segments of the card's memory that grow: what training frees in one size serves the next in another. (PYTORCH_CUDA_ALLOC_CONF is the older name.)
        if (Environment.GetEnvironmentVariable("PYTORCH_CUDA_ALLOC_CONF") is null)
        {
            Posix.Default("PYTORCH_ALLOC_CONF", "expandable_segments:True");
        }

        NativeLibrary.Load(folder.File("libc10.so"));
        nint libtorchCpu = NativeLibrary.Load(folder.File("libtorch_cpu.so"));
        Version version = LibTorchVersion.Of(libtorchCpu);
        if (version < OldestSupported)
        {
            throw new DllNotFoundException($"its version is {version}.");
        }

        if (folder.HasCuda)
        {
            NativeLibrary.Load(folder.File("libc10_cuda.so"));
            NativeLibrary.Load(folder.File("libtorch_cuda.so"));
        }

        NativeLibrary.Load(folder.File("libtorch.so"));
        string loadable = LoadableLibTorchSharp.Of(sharp, out nint libTorchSharp);
        MappedLibraries.RequireOne("libtorch_cpu.so");

        // By name alone the runtime would look beside the program first, and could map a second libtorch.
        NativeLibrary.SetDllImportResolver(typeof(torch).Assembly, (name, _, _) => name == "LibTorchSharp" ? libTorchSharp : 0);
        NativeLibrary.SetDllImportResolver(typeof(LibTorch).Assembly, (name, _, _) => name switch
        {
            Shim.Library => libtorchCpu,
            Nvrtc.Library => NvrtcSearch.Load(folder.Path),
            _ => 0,
        });
        VectorMath.Settle();
        return new LibTorchReport(folder.Path, folder.ChosenBy, version, folder.HasCuda, loadable, Patched: loadable != sharp);
    }
}
