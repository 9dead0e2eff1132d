using System.Collections.Immutable;
using T2R.Generation.Decoding;
using T2R.Checkpoints;
using T2R.Conversion;
using T2R.Interop;
using T2R.Models;
using T2R.Training;

namespace T2R.Recipes;

/// <summary>
/// Does what a recipe says, in its run's folder: convert, train, measure, export, sample. Run again after a stop it goes on where it was; conversion and
/// training are not done twice; measuring and exporting are.
/// </summary>
/// <param name="plan">The recipe, opened.</param>
/// <param name="folder">The run's folder.</param>
/// <param name="watch">Who follows it.</param>
/// <param name="cancellation">Stops it at the next step, with a checkpoint.</param>
public sealed class RecipeRun(RecipePlan plan, string folder, RunWatch watch, CancellationToken cancellation)
{
    /// <summary>The resolved recipe's name in a run's folder.</summary>
    internal const string RecipeFile = "recipe.yaml";

    /// <summary>Where the tokens of its text lie in a run's folder.</summary>
    internal const string TokensName = "tokens";

    /// <summary>What can lie in a run's folder before <see cref="RecipeFile"/> does.</summary>
    internal static readonly ImmutableArray<string> LeftEarly = ["run.log", TokensName];

    /// <summary>Where in a run's folder the converted model is.</summary>
    internal const string ConvertedName = "converted";

    /// <summary>Where in a run's folder the export is.</summary>
    internal const string ExportName = "export";

    /// <summary>The whole run.</summary>
    /// <returns>What was measured; also in <c>report.json</c>.</returns>
    /// <exception cref="UserErrorException">The folder holds another recipe's run.</exception>
    /// <exception cref="RunOutOfMemoryException">It did not get the memory it needs.</exception>
    /// <exception cref="IOException">The disk has no room for what the run is going to write, or fails.</exception>
    public RunReport Everything() => TellingOfMemory(DoEverything);

    /// <summary>Conversion and training alone.</summary>
    /// <returns>What training left.</returns>
    /// <exception cref="UserErrorException">The folder holds another recipe's run.</exception>
    /// <exception cref="RunOutOfMemoryException">It did not get the memory it needs.</exception>
    /// <exception cref="IOException">The disk has no room for what the run is going to write, or fails.</exception>
    public TrainingResult Training() => TellingOfMemory(DoTraining);

    private string ConvertedFolder => Path.Combine(folder, ConvertedName);

    private string ExportFolder => Path.Combine(folder, ExportName);

    // Whose tokenizer and generation settings an export carries.
    private string Companions => plan.Conversion is null ? plan.TokenizerFolderPath : ConvertedFolder;

    // The filter runs before anything is disposed, so that the memory is told of as it was.
    private T TellingOfMemory<T>(Func<T> work)
    {
        MemoryShortage? shortage = null;
        try
        {
            return work();
        }
        catch (Exception e) when ((shortage = MemoryShortage.Of(e)) is not null)
        {
            throw new RunOutOfMemoryException(shortage!, plan, folder, e);
        }
    }

    private RunReport DoEverything()
    {
        var (run, text) = Begin(exports: true);
        using var held = run;
        using var ids = text;
        var measure = new RunMeasure(plan, text, watch, cancellation);
        var rows = ImmutableArray.CreateBuilder<ReportRow>();

        Convert();
        if (plan.Conversion is not null)
        {
            rows.Add(Measure(LoadTeacher, measure, "teacher", rows));
            rows.Add(Measure(LoadStart, measure, "after the swap", rows));
        }

        using var teacher = plan.NeedsTeacher ? LoadTeacher() : null;
        using var model = LoadStart();
        var result = Train(run, model, teacher, text);
        rows.Add(measure.Row(plan.Conversion is null ? "trained" : "after finetuning", model, rows));
        Export(model, rows, measure.Windows, result);
        rows.Add(AsExported(measure, rows));
        var report = new RunReport(
            plan.Recipe.Name, rows.ToImmutable(), measure.Windows, plan.Recipe.Data.WindowLength, result.Tokens, result.ElapsedSeconds, result.PlannedBytes, result.PeakBytes, ExportFolder);
        AtomicFile.WriteAllText(Path.Combine(folder, RunReport.FileName), report.ToJson());
        return report;
    }

    private TrainingResult DoTraining()
    {
        var (run, text) = Begin(exports: false);
        using var held = run;
        using var ids = text;
        Convert();
        using var teacher = plan.NeedsTeacher ? LoadTeacher() : null;
        using var model = LoadStart();
        return Train(run, model, teacher, text);
    }

    // What lies there of the run is overwritten only when everything of the recipe is known to be the run's.
    private (RunFolder Run, RunText Text) Begin(bool exports)
    {
        var run = RunFolder.Open(folder);
        try
        {
            var record = RunRecord.Of(plan);
            RunOutlook.Refuse(plan, folder, record, exports);
            var disk = DiskPlan.Of(plan, folder, exports);
            disk.Check(plan.Recipe.Training.KeepLast);
            var text = RunText.Prepare(plan, folder, watch, cancellation);
            try
            {
                // The ids have taken of the room; how much was not known before.
                disk.Check(plan.Recipe.Training.KeepLast, "only the tokenized text was written, which the same command goes on with");
                AtomicFile.WriteAllText(Path.Combine(folder, RecipeFile), plan.Recipe.Resolved);
                record.Save(folder);
                return (run, text);
            }
            catch
            {
                text.Dispose();
                throw;
            }
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    private void Convert()
    {
        if (plan.Conversion is { } conversion && !Directory.Exists(ConvertedFolder))
        {
            Converter.Run(conversion, ConvertedFolder, replace: false, watch.Progress, cancellation);
        }
    }

    private CausalLM LoadTeacher() => plan.Source!.Load(plan.Device, plan.Dtype);

    // What training starts from: the converted model, the source as it is, or random weights.
    private CausalLM LoadStart() => LoadPlain().WithAdapters(plan.Recipe.Training.Lora, plan.Recipe.Training.Seed);

    private CausalLM LoadPlain()
    {
        if (plan.Conversion is null)
        {
            return plan.Source?.Load(plan.Device, plan.Dtype)
                ?? new CausalLM(plan.Config, WeightSet.Random(plan.Config, plan.Recipe.Model.Seed, plan.Device, plan.Dtype));
        }

        using var converted = ModelFolder.Open(ConvertedFolder);
        return converted.Load(plan.Device, plan.Dtype);
    }

    private TrainingResult Train(RunFolder run, CausalLM model, CausalLM? teacher, RunText text)
    {
        using var trainer = new Trainer(
            plan.Recipe.Training, new TrainingInputs(model, text.Train, text.HeldOut, plan.NeedsTeacher ? teacher : null), run, watch.Observers, watch.Progress);
        return trainer.Run(cancellation);
    }

    // Loaded for this alone: a model that training does not need must not lie in memory beside it.
    private static ReportRow Measure(Func<CausalLM> load, RunMeasure measure, string name, IReadOnlyList<ReportRow> before)
    {
        using var model = load();
        return measure.Row(name, model, before);
    }

    private void Export(CausalLM model, IReadOnlyList<ReportRow> rows, int windows, TrainingResult result)
    {
        Exporter.Export(model, ExportFolder, new ExportOptions
        {
            Dtype = plan.ExportDtype,
            Origin = Companions,
            Recipe = plan.Recipe.Resolved,
            Trained = new TrainedSteps(result.Steps, plan.Recipe.Training.Steps, result.Tokens),
            Figures = [.. rows.Select(r => new MeasuredFigure($"perplexity over {windows:N0} held-out windows, {r.Model}", $"{r.Perplexity:F2}"))],
            Replace = true,
        }, watch.Progress, cancellation);
    }

    // The folder as a user will find it, read the way it will serve.
    private ReportRow AsExported(RunMeasure measure, IReadOnlyList<ReportRow> before)
    {
        using var exported = ModelFolder.Open(ExportFolder);
        using var model = exported.Load(plan.Device, Decoders.LoadIn(exported.Config, plan.Device, plan.Dtype));
        return model.Config.IsRecurrent ? measure.RecurrentRow("exported, token by token", model, before) : measure.Row("exported", model, before);
    }
}
