using YamlDotNet.RepresentationModel;

namespace T2R.Recipes;

/// <summary>Where a recipe's values come from: the file, whose relative paths start at its folder, or the command line, whose paths start where the user stands.</summary>
/// <param name="file">The recipe's file.</param>
internal sealed class RecipeSource(string file)
{
    private readonly Dictionary<YamlNode, string> _overrides = new(ReferenceEqualityComparer.Instance);

    /// <summary>Everything that is wrong so far.</summary>
    public Problems Problems { get; } = new();

    /// <summary>Every key that has been looked for, with its section before it, in the sections read so far.</summary>
    public HashSet<string> Known { get; } = new(StringComparer.Ordinal);

    /// <summary>Records a key or value, with all that is in it, as an assignment's of the command line.</summary>
    public void Override(YamlNode node, string assignment)
    {
        foreach (var inner in node.AllNodes)
        {
            _overrides[inner] = assignment;
        }
    }

    /// <summary>Where a key or value stands, for an error: <c>recipe.yaml:12</c> or <c>override 'training.steps=x'</c>.</summary>
    public string Place(YamlNode node) => _overrides.TryGetValue(node, out string? assignment) ? $"override '{assignment}'" : $"{file}:{node.Start.Line}";

    /// <summary>What to do about a key or value that YAML took for something else than the text that was meant; empty for what stands in the file.</summary>
    public string HowToQuote(YamlNode node) => _overrides.TryGetValue(node, out string? assignment) ? $"; {HowToQuote(assignment)}" : string.Empty;

    /// <summary>Likewise, of an assignment of the command line: <c>if a text is meant, quote it: 'name="a: b"'.</c></summary>
    public static string HowToQuote(string assignment)
    {
        // One pair of quotes is for the shell, the other for YAML.
        string[] parts = assignment.Split('=', 2);
        return parts[1].AsSpan().ContainsAny('"', '\'', '\\')
            ? $"if a text is meant, quote it twice, for the shell and for YAML, such as '{parts[0]}=\"…\"'."
            : $"if a text is meant, quote it: '{parts[0]}=\"{parts[1]}\"'.";
    }

    /// <summary>A path as the program opens it; what is no path of this machine, <c>nuget:…</c>, stays as it is, and so does the mark of an exclusion, <c>!</c>.</summary>
    /// <param name="path">As written.</param>
    /// <param name="value">The node it was written in.</param>
    public string Resolve(string path, YamlNode value)
    {
        if (path.StartsWith('!'))
        {
            return "!" + Resolve(path[1..], value);
        }

        if (path.StartsWith("~/", StringComparison.Ordinal))
        {
            return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), path[2..]);
        }

        string? folder = Path.GetDirectoryName(file);
        return path.StartsWith("nuget:", StringComparison.Ordinal) || Path.IsPathRooted(path) || string.IsNullOrEmpty(folder) || _overrides.ContainsKey(value)
            ? path
            : Path.Combine(folder, path);
    }
}
