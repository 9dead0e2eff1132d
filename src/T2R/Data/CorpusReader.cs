using T2R.Checkpoints;

namespace T2R.Data;

/// <summary>Opens what a recipe names as a corpus.</summary>
public static class CorpusReader
{
    /// <summary>The format that a file's name tells.</summary>
    /// <param name="path">A file; its last extension may be <c>.zst</c>.</param>
    /// <returns>The format, or <see cref="CorpusFormat.Auto"/> when the extension is unknown.</returns>
    public static CorpusFormat FormatOf(string path)
    {
        string name = IsCompressed(path) ? Path.GetFileNameWithoutExtension(path) : path;
        return Path.GetExtension(name).ToLowerInvariant() switch
        {
            ".txt" or ".md" => CorpusFormat.Text,
            ".jsonl" => CorpusFormat.Jsonl,
            ".xml" => CorpusFormat.Xmldoc,
            ".u16" => CorpusFormat.U16,
            _ => CorpusFormat.Auto,
        };
    }

    /// <summary>
    /// Finds the files; reads nothing yet. The order is that of <paramref name="paths"/> and, within one of them, the ordinal order of the names below it; a
    /// file named twice is read once.
    /// </summary>
    /// <param name="paths">
    /// Files, folders (every file below with a fitting extension), globs (<c>*</c>, <c>?</c> and <c>**</c>) or files of a restored NuGet package:
    /// <c>nuget:Microsoft.NETCore.App.Ref/10.0.12/ref/net10.0/*.xml</c>. A leading <c>~/</c> is the home folder. A path after <c>!</c> takes its files out again.
    /// </param>
    /// <param name="format">What the files hold.</param>
    /// <param name="field">For JSON lines: the field that holds the text.</param>
    /// <returns>The corpus.</returns>
    /// <exception cref="UserErrorException">A path leads nowhere, or a file's format cannot be told; all such paths at once.</exception>
    public static ICorpus Open(IReadOnlyList<string> paths, CorpusFormat format = CorpusFormat.Auto, string field = "text")
    {
        var problems = new Problems();
        var files = new List<CorpusFile>();
        string[] wanted = [.. paths.Where(p => !p.StartsWith('!'))];
        HashSet<string> passed = [.. paths.Except(wanted).SelectMany(p => problems.Try(() => CorpusPath.Files(p[1..], format)) ?? []).Select(Path.GetFullPath)];
        if (wanted.Length == 0)
        {
            problems.Add("The corpus names no path; give a file, a folder, a glob or nuget:Package/version/glob.");
        }

        foreach (string file in wanted.SelectMany(p => problems.Try(() => CorpusPath.Files(p, format)) ?? []))
        {
            CorpusFormat actual = format == CorpusFormat.Auto ? FormatOf(file) : format;
            if (!passed.Add(Path.GetFullPath(file)))
            {
                continue;
            }

            if (actual is CorpusFormat.Auto)
            {
                problems.Add($"{file}: the extension tells no format; rename it to .txt, .md, .jsonl or .xml (with .zst if compressed), or give the format.");
            }
            else if (actual is CorpusFormat.U16)
            {
                problems.Add($"{file} holds token ids, not documents; such a stream stands alone, with the format u16.");
            }
            else if (problems.Try<object>(() => InputFile.Length(file)) is long bytes)
            {
                files.Add(new CorpusFile(file, actual, bytes));
            }
        }

        if (!problems.Any && files.Count == 0)
        {
            problems.Add($"{string.Join(", ", paths)}: every file found is excluded by a path that begins with !.");
        }

        problems.ThrowIfAny();
        return new FileCorpus(string.Join(", ", paths), files, field);
    }

    internal static bool IsCompressed(string path) => path.EndsWith(".zst", StringComparison.OrdinalIgnoreCase);
}
