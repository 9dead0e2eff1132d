using T2R.Conversion;
using T2R.Models;
using T2R.Ops.Quantized;
using T2R.Training;
using static TorchSharp.torch;

namespace T2R.Recipes;

/// <summary>Makes a model's folder of a run that was trained, be it finished or not.</summary>
public static class RunExport
{
    /// <summary>Exports the newest whole checkpoint of a run: the weights it holds over those that the run began with.</summary>
    /// <param name="runFolder">The run's folder.</param>
    /// <param name="outFolder">The folder to make.</param>
    /// <param name="dtype">Type of the exported weights; null means the recipe's.</param>
    /// <param name="quantization">What the blocks' matrices are stored in instead; null for that type.</param>
    /// <param name="replace">Whether a model's folder that is there already is replaced.</param>
    /// <param name="warn">Hears of damaged checkpoints that were passed over.</param>
    /// <param name="progress">Told of the bytes written.</param>
    /// <param name="cancellation">Heeded between tensors.</param>
    /// <returns>What was exported.</returns>
    /// <exception cref="UserErrorException">It is not a run's folder, has no checkpoint, or the target must not be replaced, or a weight that the run does not train is not there any more.</exception>
    public static ExportedRun Newest(
        string runFolder, string outFolder, string? dtype, QuantizedFormat? quantization, bool replace, Action<string> warn, IProgress<StageProgress>? progress, CancellationToken cancellation)
    {
        var record = RunRecord.Load(runFolder);
        var config = record.ReadShape(runFolder);
        using var checkpoint = RunCheckpoint.Newest(runFolder, config, warn)
            ?? throw new UserErrorException($"{runFolder}: the run has no checkpoint: let it train first, and keep one (training.keep_last).");
        var trained = new TrainedSteps(checkpoint.Step, checkpoint.State.Options.Steps, checkpoint.Tokens);
        string stored = dtype ?? record.ExportDtype;
        using var start = new StartWeights(runFolder, record, config, checkpoint.State.Options.Seed);
        Exporter.Export(config, Merged, outFolder, new ExportOptions
        {
            Dtype = DtypeName.Parse(stored),
            Quantization = quantization,
            Origin = record.Companions,
            Trained = trained,
            Recipe = File.ReadAllText(Path.Combine(runFolder, RecipeRun.RecipeFile)),
            Figures = checkpoint.Evaluation is { } e
                ? [new MeasuredFigure($"perplexity after {e.Tokens:N0} tokens of training{(quantization is null ? "" : $", before weights were rounded to {quantization}")}, over {e.Predictions:N0} predictions", $"{e.Perplexity:F2}")]
                : [],
            Replace = replace,
        }, progress, cancellation);
        return new ExportedRun(checkpoint.Path, trained, WeightLayout.Of(config).Sum(s => s.Count), DtypeName.Of(DtypeName.Parse(stored)), checkpoint.Evaluation is not null);

        Tensor Held(WeightSpec spec) => checkpoint.Holds(spec.Name) ? checkpoint.Read(spec.Name) : start.Read(spec);

        Tensor Merged(WeightSpec spec)
        {
            if (checkpoint.Lora is not { } lora || !lora.Adapts(spec))
            {
                return Held(spec);
            }

            var (a, b) = lora.Of(spec);
            return lora.Merge(Held(spec), Held(a), Held(b));
        }
    }
}
