using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using TorchSharp;

namespace T2R.Interop;

/// <summary>Loads libtorch by absolute path, once, before TorchSharp looks for it.</summary>
public static class LibTorch
{
    private static readonly Lazy<string> Loaded = new(LoadOnce);
    private static nint _libTorchSharp;

    /// <summary>Loads; returns what was loaded.</summary>
    public static string Load() => Loaded.Value;

    private static string LoadOnce()
    {
        string torchFolder = Find("LibTorchFolder", "libtorch_cpu.so", "T2R_LIBTORCH", "libtorch-cpu-linux-x64/2.10.0");
        string sharp = Path.Combine(Find("LibTorchSharpFolder", "libLibTorchSharp.so", "T2R_LIBTORCHSHARP", "torchsharp/0.107.0"), "libLibTorchSharp.so");
        foreach (string name in new[] { "libc10.so", "libtorch_cpu.so", "libtorch.so" })
        {
            NativeLibrary.Load(Path.Combine(torchFolder, name));
        }

        string chosen = sharp;
        if (!NativeLibrary.TryLoad(sharp, out _libTorchSharp))
        {
            chosen = PatchedCopy(sharp);
            _libTorchSharp = NativeLibrary.Load(chosen);
        }

        NativeLibrary.SetDllImportResolver(typeof(torch).Assembly, (name, _, _) => name == "LibTorchSharp" ? _libTorchSharp : 0);
        return $"{torchFolder} + {chosen}";
    }

    private static string Find(string metadataKey, string file, string variable, string package)
    {
        string? baked = typeof(LibTorch).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(a => a.Key == metadataKey)?.Value;
        string packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        string?[] candidates =
        [
            Environment.GetEnvironmentVariable(variable),
            AppContext.BaseDirectory,
            Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native"),
            baked,
            Path.Combine(packages, package, "runtimes", "linux-x64", "native"),
        ];
        return candidates.FirstOrDefault(c => c is not null && File.Exists(Path.Combine(c, file)))
            ?? throw new DllNotFoundException($"{file} not found in: {string.Join(", ", candidates.Where(c => c is not null))}");
    }

    private static string PatchedCopy(string original)
    {
        byte[] image = File.ReadAllBytes(original);
        string cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg
            ? xdg
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        string folder = Path.Combine(cache, "t2r", Convert.ToHexStringLower(SHA256.HashData(image))[..16]);
        string target = Path.Combine(folder, "libLibTorchSharp.so");
        if (File.Exists(target))
        {
            return target;
        }

        MakeWeak(image, "GLIBCXX_3.4.32");
        Directory.CreateDirectory(folder);
        string aside = Path.Combine(folder, Path.GetRandomFileName());
        File.WriteAllBytes(aside, image);
        File.Move(aside, target, overwrite: true);
        return target;
    }

    /// <summary>Sets VER_FLG_WEAK on the needed-version entry called <paramref name="version"/> of a little-endian ELF64 image.</summary>
    internal static void MakeWeak(byte[] elf, string version)
    {
        int sections = (int)BitConverter.ToInt64(elf, 0x28);
        int size = BitConverter.ToUInt16(elf, 0x3A), count = BitConverter.ToUInt16(elf, 0x3C);
        for (int i = 0; i < count; i++)
        {
            int header = sections + (i * size);
            if (BitConverter.ToUInt32(elf, header + 4) != 0x6ffffffe)
            {
                continue;
            }

            int strings = (int)BitConverter.ToInt64(elf, sections + (BitConverter.ToInt32(elf, header + 0x28) * size) + 0x18);
            int need = (int)BitConverter.ToInt64(elf, header + 0x18);
            while (true)
            {
                int aux = need + BitConverter.ToInt32(elf, need + 8);
                for (int n = BitConverter.ToUInt16(elf, need + 2); n > 0; n--)
                {
                    int at = strings + BitConverter.ToInt32(elf, aux + 8);
                    int end = Array.IndexOf(elf, (byte)0, at);
                    if (Encoding.ASCII.GetString(elf, at, end - at) == version)
                    {
                        elf[aux + 4] |= 2;
                        return;
                    }

                    aux += BitConverter.ToInt32(elf, aux + 12);
                }

                int next = BitConverter.ToInt32(elf, need + 12);
                if (next == 0)
                {
                    break;
                }

                need += next;
            }
        }

        throw new InvalidDataException($"no needed version {version}");
    }
}
