using System.Security.Cryptography;
using System.Text;

namespace T2R.Interop.Cuda;

/// <summary>
/// Compiled kernels on disk, under a name made from all they depend on: the source, the options and the compiler's version. A file is the SHA-256 of the code and the
/// code; one that does not match is made anew.
/// </summary>
internal static class KernelCache
{
    /// <summary>Compiles source to machine code of a card.</summary>
    /// <param name="file">What the compiler calls the source in its messages.</param>
    /// <param name="source">The source.</param>
    /// <param name="options">The compiler's.</param>
    internal delegate byte[] Compiler(string file, string source, IReadOnlyList<string> options);

    /// <summary>The machine code of a kernel file, from the cache or compiled and put there.</summary>
    /// <param name="file">The kernel file's path below src/T2R.</param>
    /// <param name="source">Its text.</param>
    /// <param name="options">The compiler's.</param>
    /// <param name="compilerVersion">The compiler's.</param>
    /// <param name="cacheFolders">Folders to look in; the code is put into the first that can be written, or none.</param>
    /// <param name="compile">Compiles.</param>
    public static byte[] Get(
        string file, string source, IReadOnlyList<string> options, Version compilerVersion, IReadOnlyList<string> cacheFolders, Compiler compile)
    {
        string key = string.Join('\0', [source, .. options, compilerVersion.ToString()]);
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..32];
        string name = Path.Combine("kernels", $"{Path.GetFileNameWithoutExtension(file)}-{hash}.cubin");
        foreach (string folder in cacheFolders)
        {
            if (Read(Path.Combine(folder, name)) is { } kept)
            {
                return kept;
            }
        }

        byte[] code = compile(file, source, options);
        Keep(code, name, cacheFolders);
        return code;
    }

    private static byte[]? Read(string path)
    {
        try
        {
            byte[] all = File.Exists(path) ? File.ReadAllBytes(path) : [];
            return all.Length > SHA256.HashSizeInBytes && SHA256.HashData(all.AsSpan(SHA256.HashSizeInBytes)).AsSpan().SequenceEqual(all.AsSpan(0, SHA256.HashSizeInBytes))
                ? all[SHA256.HashSizeInBytes..]
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static void Keep(byte[] code, string name, IReadOnlyList<string> cacheFolders)
    {
        foreach (string folder in cacheFolders)
        {
            try
            {
                CachedFile.Write(Path.Combine(folder, name), SHA256.HashData(code), code);
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The next folder, or compiling again in the next process.
            }
        }
    }
}
