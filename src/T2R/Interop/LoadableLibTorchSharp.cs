using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace T2R.Interop;

/// <summary>
/// TorchSharp's native library in a form this system can load: the file itself, or a copy in this program's cache that no longer insists on the
/// C++ library of GCC 13 (Debian 12 and RHEL 9 have an older one).
/// </summary>
internal static class LoadableLibTorchSharp
{
    // The only symbol of this version is one that no relocation refers to, so nothing is missing once the linker may go on without it.
    internal const string Version = "GLIBCXX_3.4.32";

    /// <summary>Loads <paramref name="original"/> or, where the system refuses it, a patched copy.</summary>
    /// <param name="original">The file as TorchSharp ships it.</param>
    /// <param name="handle">The loaded library.</param>
    /// <returns>The file that was loaded.</returns>
    /// <exception cref="DllNotFoundException">The system refuses both.</exception>
    public static string Of(string original, out nint handle)
    {
        if (NativeLibrary.TryLoad(original, out handle))
        {
            return original;
        }

        string copy = PatchedCopy(original, CacheFolder.Candidates());
        handle = NativeLibrary.Load(copy);
        return copy;
    }

    /// <summary>
    /// Writes the patched copy into the first of the folders that takes it, under a name made from the original's content, or finds it there whole.
    /// Processes that do so at once write aside and rename, so each sees a complete file.
    /// </summary>
    /// <exception cref="IOException">None of the folders can be written.</exception>
    internal static string PatchedCopy(string original, IReadOnlyList<string> cacheFolders)
    {
        byte[] image = File.ReadAllBytes(original);
        string name = Convert.ToHexStringLower(SHA256.HashData(image))[..16];
        WeakSymbolVersion.Set(image, Version);
        var refusals = new List<Exception>();
        foreach (string cache in cacheFolders)
        {
            string target = Path.Combine(cache, name, Path.GetFileName(original));
            try
            {
                if (!Holds(target, image))
                {
                    CachedFile.Write(target, image);
                }

                return target;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                refusals.Add(e);
            }
        }

        throw new IOException(
            $"This system needs a patched copy of {original}, and no folder for it can be written: {string.Join(" ", refusals.Select(e => e.Message))} "
            + "Set XDG_CACHE_HOME to a folder that can.",
            new AggregateException(refusals));
    }

    private static bool Holds(string file, byte[] image) =>
        File.Exists(file) && new FileInfo(file).Length == image.Length && File.ReadAllBytes(file).AsSpan().SequenceEqual(image);
}
