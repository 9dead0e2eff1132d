using System.Collections.Immutable;

namespace T2R.Models;

/// <summary>One weight of a model.</summary>
/// <param name="Name">T2R's own name, such as <c>blocks.3.mixer.q_proj.weight</c>; each folder format has a table from these to its own.</param>
/// <param name="Shape">Its shape; one axis for a norm, two for a matrix.</param>
public sealed record WeightSpec(string Name, ImmutableArray<long> Shape)
{
    /// <summary>How many numbers it holds.</summary>
    public long Count => Shape.Aggregate(1L, (product, extent) => product * extent);

    /// <summary>Whether it is a norm's weight: kept in fp32, never decayed.</summary>
    public bool IsNorm => Shape.Length == 1;

    /// <summary>Whether it is a matrix of a block.</summary>
    public bool IsProjection => Name.StartsWith("blocks.", StringComparison.Ordinal) && Name.EndsWith("_proj.weight", StringComparison.Ordinal);
}
