using System.Collections.Concurrent;
using System.Reflection;

namespace T2R.Interop.Cuda;

/// <summary>
/// The kernels of one <c>.cu</c> file, which is a resource of this assembly: compiled for the card by NVRTC when they are first asked for (some seconds, once for each
/// version of the file: the result is kept on disk), and kept on the card as long as the process lives.
/// </summary>
internal sealed unsafe class CudaModule
{
    private static readonly ConcurrentDictionary<string, Lazy<CudaModule>> Loaded = new();
    private readonly string _file;
    private readonly nint _module;
    private readonly ConcurrentDictionary<string, CudaKernel> _kernels = new();

    private CudaModule(string file)
    {
        _file = file;
        byte[] cubin = KernelCache.Get(file, Source(file), Options(CudaDevice.All()[0].ComputeCapability), Nvrtc.Version, CacheFolder.Candidates(), Nvrtc.Compile);
        CudaDriver.Enter();
        fixed (byte* image = cubin)
        {
            CudaDriver.Check(CudaDriver.cuModuleLoadData(out _module, image), $"{nameof(CudaDriver.cuModuleLoadData)} of {file}");
        }
    }

    /// <summary>The module of a file.</summary>
    /// <param name="file">Its path below src/T2R, such as <c>Ops/AdamW/AdamW.cu</c>.</param>
    /// <exception cref="DllNotFoundException">There is no NVRTC; says what to install.</exception>
    /// <exception cref="InvalidOperationException">It does not compile, or the driver refuses it; holds the compiler's words.</exception>
    public static CudaModule Of(string file) => Loaded.GetOrAdd(file, f => new Lazy<CudaModule>(() => new CudaModule(f))).Value;

    /// <summary>A kernel by the name it has as <c>extern "C"</c>.</summary>
    /// <param name="name">The name.</param>
    /// <exception cref="InvalidOperationException">The module has none of that name.</exception>
    public CudaKernel Kernel(string name) => _kernels.GetOrAdd(name, n =>
    {
        CudaDriver.Enter();
        CudaDriver.Check(CudaDriver.cuModuleGetFunction(out nint function, _module, n), $"{nameof(CudaDriver.cuModuleGetFunction)} of {n} in {_file}");
        return new CudaKernel(n, function);
    });

    /// <summary>The text of a kernel file.</summary>
    /// <exception cref="ArgumentException">The assembly holds none of that name.</exception>
    internal static string Source(string file)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(file)
            ?? throw new ArgumentException($"this program holds no kernel file {file}", nameof(file));
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    // From 9.0 on an architecture's own instructions (wgmma and the like) need the suffix a.
    internal static string[] Options(Version capability) =>
        [$"--gpu-architecture=sm_{capability.Major}{capability.Minor}{(capability.Major >= 9 ? "a" : "")}", "--std=c++17"];
}
