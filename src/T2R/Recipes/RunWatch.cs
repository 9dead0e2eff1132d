using T2R.Training;

namespace T2R.Recipes;

/// <summary>Who follows a run.</summary>
/// <param name="Progress">Hears how far each stage is.</param>
/// <param name="Observers">Hear of training's steps and evaluations.</param>
/// <param name="Measured">Hears of each model measured, when it is, and on how many windows.</param>
public sealed record RunWatch(IProgress<StageProgress>? Progress = null, IReadOnlyList<ITrainingObserver>? Observers = null, Action<ReportRow, int>? Measured = null);
