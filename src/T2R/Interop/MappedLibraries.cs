namespace T2R.Interop;

/// <summary>
/// What the process has mapped, from /proc/self/maps. Two copies of libtorch in one process register their operators twice, and the second
/// aborts the process while it is loaded.
/// </summary>
internal static class MappedLibraries
{
    /// <summary>The files of that name that are mapped, each once.</summary>
    public static IReadOnlyList<string> Named(string file) => Named(file, File.ReadLines("/proc/self/maps"));

    /// <summary>The same, from the lines of such a file: address, permissions, offset, device, inode, path.</summary>
    public static IReadOnlyList<string> Named(string file, IEnumerable<string> maps) =>
        [.. maps.Select(PathOf).Where(p => Path.GetFileName(p) == file).Distinct()];

    /// <exception cref="InvalidOperationException">A file of that name is mapped from a folder other than <paramref name="folder"/>.</exception>
    public static void RequireNoOther(string file, string folder)
    {
        foreach (string path in Named(file).Where(p => p != Path.Combine(folder, file)))
        {
            throw new InvalidOperationException(
                $"{path} is loaded already, and loading {folder} beside it would abort the process: call LibTorch.Load before anything touches TorchSharp.");
        }
    }

    /// <exception cref="InvalidOperationException">Not exactly one file of that name is mapped.</exception>
    public static void RequireOne(string file)
    {
        IReadOnlyList<string> mapped = Named(file);
        if (mapped.Count != 1)
        {
            throw new InvalidOperationException($"expected one {file} in this process, found {mapped.Count}: {string.Join(", ", mapped)}");
        }
    }

    private static string PathOf(string line)
    {
        int slash = line.IndexOf('/');
        return slash < 0 ? "" : line[slash..];
    }
}
