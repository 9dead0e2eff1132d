using System.Globalization;

namespace T2R.Models;

/// <summary>
/// The two-way table between T2R's weight names and a folder format's. A row names a weight outside the blocks, or one inside a block, where both sides leave out
/// what surrounds the block's number.
/// </summary>
public sealed class WeightNames
{
    private const string OurBlock = "blocks.";
    private const string TheirBlock = "model.layers.";
    private readonly Dictionary<string, string> _theirs;
    private readonly Dictionary<string, string> _ours = new(StringComparer.Ordinal);

    /// <summary>A table.</summary>
    /// <param name="rows">Pairs such as <c>("mixer.q_proj.weight", "self_attn.q_proj.weight")</c>; of two rows with one name on the left the later is an older spelling, read and never written.</param>
    public WeightNames(IReadOnlyList<(string Ours, string Theirs)> rows)
    {
        _theirs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (ours, theirs) in rows)
        {
            _theirs.TryAdd(ours, theirs);
            _ours.Add(theirs, ours);
        }
    }

    /// <summary>What the format calls a weight.</summary>
    /// <param name="ours">T2R's name.</param>
    /// <exception cref="KeyNotFoundException">The format has no such weight.</exception>
    public string Theirs(string ours)
    {
        var (block, inner) = Split(ours, OurBlock);
        return block is null ? _theirs[ours] : $"{TheirBlock}{block}.{_theirs[inner]}";
    }

    /// <summary>What T2R calls a stored tensor.</summary>
    /// <param name="theirs">The format's name, of today or older.</param>
    /// <returns>T2R's name, or null when no row names it; whether a given model has that weight is for its layout to say.</returns>
    public string? Ours(string theirs)
    {
        var (block, inner) = Split(theirs, TheirBlock);
        return !_ours.TryGetValue(inner, out string? ours) ? null
            : block is null ? ours
            : $"{OurBlock}{block}.{ours}";
    }

    // "blocks.3.mixer.q_proj.weight" → ("3", "mixer.q_proj.weight"); a name outside the blocks → (null, name).
    private static (string? Block, string Inner) Split(string name, string prefix)
    {
        if (!name.StartsWith(prefix, StringComparison.Ordinal))
        {
            return (null, name);
        }

        int dot = name.IndexOf('.', prefix.Length);
        return dot > 0 && int.TryParse(name.AsSpan(prefix.Length, dot - prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int block)
            ? (block.ToString(CultureInfo.InvariantCulture), name[(dot + 1)..])
            : (null, name);
    }
}
