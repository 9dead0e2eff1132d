using T2R.Checkpoints;

namespace T2R.Data;

/// <summary>Opens what a recipe names as a corpus.</summary>
public static class CorpusReader
{
    /// <summary>The format that a file's name tells.</summary>
    /// <param name="path">A file; its last extension may be <c>.gz</c> or <c>.zst</c>.</param>
    /// <returns>The format, or <see cref="CorpusFormat.Auto"/> when the extension is unknown.</returns>
    public static CorpusFormat FormatOf(string path) =>
        Path.GetExtension(Compression.PlainName(path)).ToLowerInvariant() switch
        {
            ".txt" or ".md" => CorpusFormat.Text,
            ".jsonl" => CorpusFormat.Jsonl,
            ".parquet" => CorpusFormat.Parquet,
            ".xml" => CorpusFormat.Xmldoc,
            ".u16" => CorpusFormat.U16,
            _ => CorpusFormat.Auto,
        };

    /// <summary>Finds the files of one source; reads nothing yet.</summary>
    /// <param name="paths">As in <see cref="CorpusSource"/>.</param>
    /// <param name="format">What the files hold.</param>
    /// <param name="field">The field of JSON lines, or the column of Parquet, that holds the text.</param>
    /// <returns>The corpus.</returns>
    /// <exception cref="UserErrorException">A path leads nowhere, or a file's format cannot be told; all such paths at once.</exception>
    public static ICorpus Open(IReadOnlyList<string> paths, CorpusFormat format = CorpusFormat.Auto, string field = "text") => OpenAll([new CorpusSource(paths, format, field)]);

    /// <summary>
    /// Finds the files of several sources; reads nothing yet. The order is that of the sources, of their paths and, within one of them, the ordinal order of the names below it; a file named
    /// twice in a source is read once.
    /// </summary>
    /// <param name="sources">What belongs to the corpus.</param>
    /// <returns>The corpus.</returns>
    /// <exception cref="UserErrorException">A path leads nowhere, or a file's format cannot be told; all such paths at once.</exception>
    public static ICorpus OpenAll(IReadOnlyList<CorpusSource> sources)
    {
        var problems = new Problems();
        List<CorpusFile> files = [.. sources.SelectMany(s => Files(s, problems))];
        problems.ThrowIfAny();
        return new FileCorpus(string.Join(", ", sources.SelectMany(s => s.Paths)), files);
    }

    private static List<CorpusFile> Files(CorpusSource source, Problems problems)
    {
        bool wasRight = !problems.Any;
        var files = new List<CorpusFile>();
        string[] wanted = [.. source.Paths.Where(p => !p.StartsWith('!'))];
        HashSet<string> passed = [.. source.Paths.Except(wanted).SelectMany(p => problems.Try(() => CorpusPath.Files(p[1..], source.Format)) ?? []).Select(Path.GetFullPath)];
        if (wanted.Length == 0)
        {
            problems.Add("The corpus names no path; give a file, a folder, a glob or nuget:Package/version/glob.");
        }

        foreach (string file in wanted.SelectMany(p => problems.Try(() => CorpusPath.Files(p, source.Format)) ?? []))
        {
            CorpusFormat actual = source.Format == CorpusFormat.Auto ? FormatOf(file) : source.Format;
            if (!passed.Add(Path.GetFullPath(file)))
            {
                continue;
            }

            if (actual is CorpusFormat.Auto)
            {
                problems.Add($"{file}: the extension tells no format; rename it to .txt, .md, .jsonl, .parquet or .xml (with .gz or .zst if compressed), or give the format.");
            }
            else if (actual is CorpusFormat.U16)
            {
                problems.Add($"{file} holds token ids, not documents; such a stream stands alone, with the format u16.");
            }
            else if (actual is CorpusFormat.Parquet && Compression.Of(file).Extension.Length > 0)
            {
                problems.Add($"{file}: a Parquet file is compressed inside and read from its end; decompress it first.");
            }
            else if (problems.Try<object>(() => InputFile.Length(file)) is long bytes)
            {
                files.Add(new CorpusFile(file, actual, source.Field, bytes));
            }
        }

        if (wasRight && !problems.Any && files.Count == 0)
        {
            problems.Add($"{string.Join(", ", source.Paths)}: every file found is excluded by a path that begins with !.");
        }

        return files;
    }
}
