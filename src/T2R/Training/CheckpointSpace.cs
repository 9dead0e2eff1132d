using T2R.Models;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>The room that a run's checkpoints are still going to take on the disk.</summary>
/// <param name="Each">Bytes of one, at its largest stage: the weights that are trained and what the optimizer remembers.</param>
/// <param name="More">How many more there will be at a time than there are now; while one is written, those before it still lie there.</param>
internal readonly record struct CheckpointSpace(long Each, int More)
{
    /// <summary>Counts.</summary>
    /// <param name="config">The model trained, with adapters if it has them.</param>
    /// <param name="options">The training.</param>
    /// <param name="dtype">Of the matrices.</param>
    /// <param name="runFolder">The run's folder, which need not exist.</param>
    public static CheckpointSpace Of(ModelConfig config, TrainingOptions options, ScalarType dtype, string runFolder)
    {
        var specs = WeightLayout.Of(config);
        long weights = specs.Where(s => WeightChoice.IsEverTrained(options, s.Name)).Sum(s => s.Count * DtypeName.Bytes(s.IsNorm ? ScalarType.Float32 : dtype));
        long moments = StagePlan.Of(options).Max(p => OptimizerMemory.Total(options.Optimizer, [.. specs.Where(s => WeightChoice.IsTrained(options, p.Stage, s.Name))], dtype));
        int kept = RunFolder.Checkpoints(runFolder).Count, saves = Saves(options, RunCheckpoint.NewestState(runFolder)?.Step ?? 0);
        return new CheckpointSpace(weights + moments, options.KeepLast == 0 ? 0 : Math.Min(saves, Math.Max(0, options.KeepLast + 1 - kept)));
    }

    // From a step to the run's end.
    private static int Saves(TrainingOptions options, int step)
    {
        int every = options.CheckpointEvery > 0 ? options.CheckpointEvery : Math.Max(1, options.Steps);
        return ((options.Steps + every - 1) / every) - (step >= options.Steps ? (options.Steps + every - 1) / every : step / every);
    }
}
