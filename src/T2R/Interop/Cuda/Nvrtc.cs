using System.Runtime.InteropServices;
using System.Text;

namespace T2R.Interop.Cuda;

/// <summary>The compiler of kernels that comes with CUDA (nvrtc.h). It needs no card and no other part of the toolkit, and offers no headers.</summary>
internal static unsafe partial class Nvrtc
{
    /// <summary>What the imports are resolved by; <see cref="NvrtcSearch"/> finds the file.</summary>
    internal const string Library = "nvrtc";

    /// <summary>The compiler's version, such as 13.0.</summary>
    /// <exception cref="DllNotFoundException">There is none.</exception>
    public static Version Version
    {
        get
        {
            Check(nvrtcVersion(out int major, out int minor), nameof(nvrtcVersion));
            return new Version(major, minor);
        }
    }

    /// <summary>Compiles C++ to the machine code of one architecture.</summary>
    /// <param name="file">What messages call the source.</param>
    /// <param name="source">The source.</param>
    /// <param name="options">Among them <c>--gpu-architecture=sm_…</c>.</param>
    /// <exception cref="DllNotFoundException">There is no NVRTC.</exception>
    /// <exception cref="InvalidOperationException">It does not compile; holds the compiler's log, with file and line.</exception>
    public static byte[] Compile(string file, string source, IReadOnlyList<string> options)
    {
        Check(nvrtcCreateProgram(out nint program, source, file, 0, null, null), nameof(nvrtcCreateProgram));
        try
        {
            int code = nvrtcCompileProgram(program, options.Count, [.. options]);
            if (code != 0)
            {
                throw new InvalidOperationException($"{file} does not compile with NVRTC {Version} and {string.Join(' ', options)} ({Text(code)}):\n{Log(program)}");
            }

            Check(nvrtcGetCUBINSize(program, out nuint size), nameof(nvrtcGetCUBINSize));
            byte[] cubin = new byte[checked((int)size)];
            fixed (byte* image = cubin)
            {
                Check(nvrtcGetCUBIN(program, image), nameof(nvrtcGetCUBIN));
            }

            return cubin;
        }
        finally
        {
            nvrtcDestroyProgram(ref program);
        }
    }

    private static string Log(nint program)
    {
        Check(nvrtcGetProgramLogSize(program, out nuint size), nameof(nvrtcGetProgramLogSize));
        byte[] text = new byte[checked((int)size)];
        fixed (byte* log = text)
        {
            Check(nvrtcGetProgramLog(program, log), nameof(nvrtcGetProgramLog));
        }

        return Encoding.UTF8.GetString(text).TrimEnd('\0', '\n');
    }

    private static void Check(int code, string function)
    {
        if (code != 0)
        {
            throw new InvalidOperationException($"the kernel compiler's {function} failed: {Text(code)}");
        }
    }

    private static string Text(int code) => Marshal.PtrToStringUTF8((nint)nvrtcGetErrorString(code)) ?? $"error {code}";

    [LibraryImport(Library)]
    private static partial byte* nvrtcGetErrorString(int code);

    [LibraryImport(Library)]
    private static partial int nvrtcVersion(out int major, out int minor);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int nvrtcCreateProgram(out nint program, string source, string name, int headerCount, byte** headers, byte** headerNames);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int nvrtcCompileProgram(nint program, int optionCount, string[] options);

    [LibraryImport(Library)]
    private static partial int nvrtcGetProgramLogSize(nint program, out nuint size);

    [LibraryImport(Library)]
    private static partial int nvrtcGetProgramLog(nint program, byte* log);

    [LibraryImport(Library)]
    private static partial int nvrtcGetCUBINSize(nint program, out nuint size);

    [LibraryImport(Library)]
    private static partial int nvrtcGetCUBIN(nint program, byte* cubin);

    [LibraryImport(Library)]
    private static partial int nvrtcDestroyProgram(ref nint program);
}
