using System.Collections.Immutable;
using System.Text.Json;

namespace T2R.Checkpoints;

/// <summary>Ids as the files of a model name them: a number, or a list of numbers.</summary>
internal static class TokenIds
{
    /// <summary>The ids; empty if it is anything else.</summary>
    public static ImmutableArray<int> In(JsonElement value)
    {
        JsonElement[] all = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
        return all.All(e => e.ValueKind == JsonValueKind.Number && e.TryGetInt32(out int id) && id >= 0) ? [.. all.Select(e => e.GetInt32())] : [];
    }
}
