using T2R.Data;

namespace T2R.Recipes;

/// <summary>Text that a recipe trains on, and how much of it.</summary>
/// <param name="Text">Its files.</param>
/// <param name="Weight">The share of an epoch's windows that are drawn from it, relative to the other sources' weights.</param>
public sealed record DataSource(CorpusSource Text, double Weight);
