using YamlDotNet.RepresentationModel;

namespace T2R.Recipes;

/// <summary>Where a recipe's values come from: the file, whose relative paths start at its folder, or the command line, whose paths start where the user stands.</summary>
/// <param name="file">The recipe's file.</param>
internal sealed class RecipeSource(string file)
{
    private readonly HashSet<YamlNode> _overrides = new(ReferenceEqualityComparer.Instance);

    /// <summary>The recipe's file.</summary>
    public string File { get; } = file;

    /// <summary>Everything that is wrong so far.</summary>
    public Problems Problems { get; } = new();

    /// <summary>Records a value as the command line's.</summary>
    public void Overrides(YamlNode value) => _overrides.Add(value);

    /// <summary>Whether a value is the command line's.</summary>
    public bool IsOverride(YamlNode value) => _overrides.Contains(value);

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

        string? folder = Path.GetDirectoryName(File);
        return path.StartsWith("nuget:", StringComparison.Ordinal) || Path.IsPathRooted(path) || string.IsNullOrEmpty(folder) || IsOverride(value)
            ? path
            : Path.Combine(folder, path);
    }
}
