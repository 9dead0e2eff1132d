using System.Collections.Concurrent;
using System.Reflection;
using System.Text;

namespace T2R.Interop.Cuda;

/// <summary>
/// The kernels of one <c>.cu</c> file, which is a resource of this assembly: compiled for a card by NVRTC when they are first asked for (some seconds, once for each
/// version of the file: the result is kept on disk), and kept on the card as long as the process lives.
/// </summary>
internal sealed unsafe class CudaModule
{
    private static readonly ConcurrentDictionary<(int Device, string Name), Lazy<CudaModule>> Loaded = new();
    private readonly int _device;
    private readonly string _file;
    private readonly nint _module;
    private readonly ConcurrentDictionary<string, CudaKernel> _kernels = new();

    private CudaModule(int device, string file, IEnumerable<string> options)
    {
        (_device, _file) = (device, file);
        string[] all = [.. Options(CudaDevice.All()[device].ComputeCapability), .. options];
        byte[] cubin = KernelCache.Get(file, Source(file), all, Nvrtc.Version, CacheFolder.Candidates(), Nvrtc.Compile);
        using var context = CudaDriver.Enter(device);
        fixed (byte* image = cubin)
        {
            CudaDriver.Check(CudaDriver.cuModuleLoadData(out _module, image), $"{nameof(CudaDriver.cuModuleLoadData)} of {file}");
        }
    }

    /// <summary>The module of a file, or of a file for one shape.</summary>
    /// <param name="device">The index of the card it is for.</param>
    /// <param name="file">Its path below src/T2R, such as <c>Ops/AdamW/AdamW.cu</c>.</param>
    /// <param name="definitions">What the compiler is to define, such as <c>SLOTS=64</c>: one module for each set.</param>
    /// <exception cref="DllNotFoundException">There is no NVRTC; says what to install.</exception>
    /// <exception cref="InvalidOperationException">It does not compile, or the driver refuses it; holds the compiler's words.</exception>
    public static CudaModule Of(int device, string file, params string[] definitions) => Loaded.GetOrAdd(
        (device, string.Join('\n', [file, .. definitions])), _ => new Lazy<CudaModule>(() => new CudaModule(device, file, definitions.Select(d => $"--define-macro={d}")))).Value;

    /// <summary>A kernel by the name it has as <c>extern "C"</c>.</summary>
    /// <param name="name">The name.</param>
    /// <exception cref="InvalidOperationException">The module has none of that name.</exception>
    public CudaKernel Kernel(string name) => _kernels.GetOrAdd(name, n =>
    {
        using var context = CudaDriver.Enter(_device);
        CudaDriver.Check(CudaDriver.cuModuleGetFunction(out nint function, _module, n), $"{nameof(CudaDriver.cuModuleGetFunction)} of {n} in {_file}");
        return new CudaKernel(n, function);
    });

    /// <summary>The values of an array of <c>int</c> that the module declares as <c>extern "C" __device__ const</c>.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="InvalidOperationException">The module has none of that name.</exception>
    public int[] Constants(string name)
    {
        using var context = CudaDriver.Enter(_device);
        CudaDriver.Check(CudaDriver.cuModuleGetGlobal_v2(out nint address, out nuint bytes, _module, name), $"{nameof(CudaDriver.cuModuleGetGlobal_v2)} of {name} in {_file}");
        int[] values = new int[(int)bytes / sizeof(int)];
        fixed (int* to = values)
        {
            CudaDriver.Check(CudaDriver.cuMemcpyDtoH_v2(to, address, bytes), $"{nameof(CudaDriver.cuMemcpyDtoH_v2)} of {name}");
        }

        return values;
    }

    /// <summary>The text of a kernel file, with those that it includes in their places, each once.</summary>
    /// <exception cref="ArgumentException">The assembly holds none of that name.</exception>
    internal static string Source(string file)
    {
        var text = new StringBuilder();
        Append(text, file, []);
        return text.ToString();
    }

    private static void Append(StringBuilder text, string file, HashSet<string> included)
    {
        if (!included.Add(file))
        {
            return;
        }

        string[] lines = Resource(file).Split('\n');
        text.Append($"#line 1 \"{file}\"\n");
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].StartsWith("#include \"", StringComparison.Ordinal))
            {
                Append(text, lines[i].Split('"')[1], included);
                text.Append($"#line {i + 2} \"{file}\"\n");
            }
            else
            {
                text.Append(lines[i]).Append('\n');
            }
        }
    }

    private static string Resource(string file)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(file)
            ?? throw new ArgumentException($"this program holds no kernel file {file}", nameof(file));
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    // From 9.0 on an architecture's own instructions (wgmma and the like) need the suffix a.
    internal static string[] Options(Version capability) =>
        [$"--gpu-architecture=sm_{capability.Major}{capability.Minor}{(capability.Major >= 9 ? "a" : "")}", "--std=c++17", "--device-as-default-execution-space"];
}
