using T2R.Data;

namespace T2R.Recipes;

/// <summary>The text a recipe trains on and is measured on.</summary>
public sealed record DataSection
{
    /// <summary>What is learned from: one source, or several that are mixed.</summary>
    public required IReadOnlyList<DataSource> Train { get; init; }

    /// <summary>Held-out files; empty when a share of the training documents is held out.</summary>
    public IReadOnlyList<string> Validation { get; init; } = [];

    /// <summary>Share of the training documents, by hash, that is held out.</summary>
    public double HeldOut { get; init; }

    /// <summary>What the files are; <c>auto</c> goes by their endings.</summary>
    public CorpusFormat Format { get; init; }

    /// <summary>Field of JSON lines, or column of Parquet, that holds the text.</summary>
    public string Field { get; init; } = "text";

    /// <summary>How many damaged records (lines, rows, row groups, files of text) of a source may be passed over; one more is an error.</summary>
    public long DamagedLimit { get; init; }

    /// <summary>Ids in a window, T; a window gives T − 1 predictions.</summary>
    public required int WindowLength { get; init; }

    /// <summary>Seed of the windows' order.</summary>
    public ulong Seed { get; init; }

    internal static DataSection Read(YamlSection yaml)
    {
        var format = TextFormat(yaml, CorpusFormat.Auto);
        string field = yaml.Text("field", "text");
        var section = new DataSection
        {
            Train = [.. Sources(yaml, format, field)],
            Validation = yaml.Locations("validation"),
            HeldOut = yaml.Number("held_out", 0, 1e-6, 0.5),
            Format = format,
            Field = field,
            DamagedLimit = yaml.Count("damaged_limit", 0, least: 0),
            WindowLength = yaml.Count("window_length", least: 2),
            Seed = (ulong)yaml.Whole("seed", 0),
        };
        if (yaml.Has("validation") == yaml.Has("held_out"))
        {
            yaml.Refuse("validation", yaml.Has("validation")
                ? "and data.held_out are both given; keep one of them, and set the other to null: files to measure on, or the share of training documents to hold out."
                : "or data.held_out, one of them, is needed: files to measure on, or the share of training documents to hold out, such as 0.01.");
        }

        yaml.RefuseTheRest();
        return section;
    }

    // Of several sources, or of the paths of one.
    private static IEnumerable<DataSource> Sources(YamlSection yaml, CorpusFormat format, string field)
    {
        IReadOnlyList<string> paths = yaml.Locations("train");
        IReadOnlyList<YamlSection> sources = yaml.Sections("sources");
        if (yaml.Has("train") == yaml.Has("sources"))
        {
            yaml.Refuse(
                "train",
                yaml.Has("train") ? "and data.sources exclude each other: leave one of them out." : "is missing; expected a list of files, folders or globs, or data.sources, several of those with weights.");
        }

        return paths.Count > 0 ? [new DataSource(new CorpusSource(paths, format, field), 1)] : sources.Select(s => Source(s, format, field));
    }

    private static DataSource Source(YamlSection yaml, CorpusFormat format, string field)
    {
        IReadOnlyList<string> paths = yaml.Locations("paths");
        if (!yaml.Has("paths"))
        {
            yaml.Refuse("paths", "is missing; expected a list of files, folders or globs.");
        }

        var source = new DataSource(new CorpusSource(paths, TextFormat(yaml, format), yaml.Text("field", field)), yaml.Number("weight", 1, 1e-6, 1e6));
        yaml.RefuseTheRest();
        return source;
    }

    private static CorpusFormat TextFormat(YamlSection yaml, CorpusFormat fallback)
    {
        var format = yaml.Choice("format", fallback);
        if (format == CorpusFormat.U16)
        {
            yaml.Refuse("format", "is u16, token ids without text; a recipe tokenizes its own text.");
        }

        return format;
    }
}
