using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace T2R.Conversion;

/// <summary>What became of one tensor.</summary>
/// <param name="Source">Its name in the source; null when it is new.</param>
/// <param name="Target">Its name in the target; null when it was dropped.</param>
/// <param name="Action">What was done.</param>
/// <param name="Shape">Its sizes.</param>
/// <param name="Reason">Why, or how it starts.</param>
public sealed record LedgerEntry(string? Source, string? Target, LedgerAction Action, ImmutableArray<long> Shape, string Reason)
{
    /// <summary>How many numbers it holds.</summary>
    [JsonIgnore]
    public long Count => Shape.Aggregate(1L, (product, extent) => product * extent);
}
