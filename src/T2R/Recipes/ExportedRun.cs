namespace T2R.Recipes;

/// <summary>What <see cref="RunExport"/> made.</summary>
/// <param name="Checkpoint">The checkpoint that was exported.</param>
/// <param name="Step">Steps done when it was written.</param>
/// <param name="Tokens">Ids read when it was written.</param>
/// <param name="Parameters">Numbers in the model.</param>
/// <param name="Dtype">What they are stored in, by its name.</param>
public sealed record ExportedRun(string Checkpoint, int Step, long Tokens, long Parameters, string Dtype);
