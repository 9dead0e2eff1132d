using T2R.Checkpoints;

namespace T2R.Recipes;

/// <summary>Something that a run is going to write.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Count">How many of it.</param>
/// <param name="Each">Bytes of one.</param>
public sealed record DiskPart(string Name, int Count, long Each)
{
    /// <summary>Bytes of all of them.</summary>
    public long Bytes => Count * Each;

    /// <summary>Such as <c>43.8 GB checkpoints (3 of 14.6 GB)</c>.</summary>
    public string Text => $"{DiskFull.Size(Bytes)} {Name}{(Count > 1 ? $" ({Count} of {DiskFull.Size(Each)})" : "")}";
}
