namespace T2R.Data;

/// <summary>Turns a path of a recipe into files.</summary>
internal static class CorpusPath
{
    private const string NuGetScheme = "nuget:";

    /// <summary>The files that a path means, in ordinal order.</summary>
    /// <exception cref="UserErrorException">There are none.</exception>
    public static List<string> Files(string path, CorpusFormat format)
    {
        string local = path;
        if (path.StartsWith(NuGetScheme, StringComparison.OrdinalIgnoreCase))
        {
            local = NuGetPackage.Locate(path, path[NuGetScheme.Length..]);
        }
        else if (path.StartsWith("~/", StringComparison.Ordinal))
        {
            local = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), path[2..]);
        }

        if (File.Exists(local))
        {
            return [local];
        }

        if (Directory.Exists(local))
        {
            return Below(path, local, format);
        }

        if (local.AsSpan().IndexOfAny('*', '?') < 0)
        {
            throw new UserErrorException($"{path}: no such file or folder (looked for {Path.GetFullPath(local)}); check the spelling, or fetch the file first.");
        }

        string root = Path.IsPathRooted(local) ? "/" : ".";
        List<string> found = [.. Expand(root, local.Split('/', StringSplitOptions.RemoveEmptyEntries), 0).Distinct().Order(StringComparer.Ordinal)];
        return found.Count > 0
            ? found
            : throw new UserErrorException($"{path}: no file matches (looked for {Path.GetFullPath(local)}); check the spelling and the folder.");
    }

    private static List<string> Below(string path, string folder, CorpusFormat format)
    {
        IEnumerable<string> fitting = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Where(f => CorpusReader.FormatOf(f) is var told && (format == CorpusFormat.Auto ? told is not (CorpusFormat.Auto or CorpusFormat.U16) : told == format));
        List<string> found = [.. fitting.Order(StringComparer.Ordinal)];
        string wanted = format == CorpusFormat.Auto ? ".txt, .md, .jsonl, .parquet or .xml" : $"format {format.ToString().ToLowerInvariant()}";
        return found.Count > 0
            ? found
            : throw new UserErrorException($"{path}: the folder holds no file of {wanted} (plain, .gz or .zst); name another folder, or a glob such as {path.TrimEnd('/')}/*.");
    }

    private static IEnumerable<string> Expand(string folder, string[] segments, int at)
    {
        string segment = segments[at];
        if (at == segments.Length - 1)
        {
            return Directory.EnumerateFiles(folder, segment == "**" ? "*" : segment, Depth(segment)).Select(Plain);
        }

        if (segment.AsSpan().IndexOfAny('*', '?') < 0)
        {
            string below = Path.Combine(folder, segment);
            return Directory.Exists(below) ? Expand(below, segments, at + 1) : [];
        }

        IEnumerable<string> folders = Directory.EnumerateDirectories(folder, segment == "**" ? "*" : segment, Depth(segment));
        return (segment == "**" ? folders.Prepend(folder) : folders).SelectMany(f => Expand(f, segments, at + 1));
    }

    private static SearchOption Depth(string segment) => segment == "**" ? SearchOption.AllDirectories : SearchOption.TopDirectoryOnly;

    private static string Plain(string file) => file.StartsWith("./", StringComparison.Ordinal) ? file[2..] : file;
}
