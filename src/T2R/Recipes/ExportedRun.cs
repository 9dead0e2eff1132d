using T2R.Conversion;

namespace T2R.Recipes;

/// <summary>What <see cref="RunExport"/> made.</summary>
/// <param name="Checkpoint">The checkpoint that was exported.</param>
/// <param name="Trained">How far the run was when it was written.</param>
/// <param name="Parameters">Numbers in the model.</param>
/// <param name="Dtype">What they are stored in, by its name.</param>
/// <param name="HasFigure">Whether the model card says how good it is.</param>
public sealed record ExportedRun(string Checkpoint, TrainedSteps Trained, long Parameters, string Dtype, bool HasFigure);
