using T2R.Data;

namespace T2R.Recipes;

/// <summary>The text a recipe trains on and is measured on.</summary>
public sealed record DataSection
{
    /// <summary>Files, folders, globs or <c>nuget:Package/version/glob</c>.</summary>
    public required IReadOnlyList<string> Train { get; init; }

    /// <summary>Held-out files; empty when a share of the training documents is held out.</summary>
    public IReadOnlyList<string> Validation { get; init; } = [];

    /// <summary>Share of the training documents, by hash, that is held out.</summary>
    public double HeldOut { get; init; }

    /// <summary>What the files are; <c>auto</c> goes by their endings.</summary>
    public CorpusFormat Format { get; init; }

    /// <summary>Field of JSON lines that holds the text.</summary>
    public string Field { get; init; } = "text";

    /// <summary>Ids in a window, T; a window gives T − 1 predictions.</summary>
    public required int WindowLength { get; init; }

    /// <summary>Seed of the windows' order.</summary>
    public ulong Seed { get; init; }

    internal static DataSection Read(YamlSection yaml)
    {
        var section = new DataSection
        {
            Train = yaml.Locations("train"),
            Validation = yaml.Locations("validation"),
            HeldOut = yaml.Number("held_out", 0, 1e-6, 0.5),
            Format = yaml.Choice("format", CorpusFormat.Auto),
            Field = yaml.Text("field", "text"),
            WindowLength = yaml.Count("window_length", least: 2),
            Seed = (ulong)yaml.Whole("seed", 0),
        };
        if (section.Train.Count == 0 && !yaml.Has("train"))
        {
            yaml.Refuse("train", "is missing; expected a list of files, folders or globs.");
        }

        if (yaml.Has("validation") == yaml.Has("held_out"))
        {
            yaml.Refuse("validation", "or data.held_out, one of them, is needed: files to measure on, or the share of training documents to hold out, such as 0.01.");
        }

        if (section.Format == CorpusFormat.U16)
        {
            yaml.Refuse("format", "is u16, token ids without text; a recipe tokenizes its own text.");
        }

        yaml.RefuseTheRest();
        return section;
    }
}
