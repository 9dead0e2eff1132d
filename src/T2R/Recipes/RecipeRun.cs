using System.Collections.Immutable;
using T2R.Checkpoints;
using T2R.Conversion;
using T2R.Models;
using T2R.Training;

namespace T2R.Recipes;

/// <summary>
/// Does what a recipe says, in its run's folder: convert, train, measure, export, sample. Run again after a stop it goes on where it was; what is done already is
/// not done twice.
/// </summary>
/// <param name="plan">The recipe, opened.</param>
/// <param name="folder">The run's folder.</param>
/// <param name="watch">Who follows it.</param>
/// <param name="cancellation">Stops it at the next step, with a checkpoint.</param>
public sealed class RecipeRun(RecipePlan plan, string folder, RunWatch watch, CancellationToken cancellation)
{
    /// <summary>The resolved recipe's name in a run's folder.</summary>
    internal const string RecipeFile = "recipe.yaml";

    /// <summary>The whole run.</summary>
    /// <returns>What was measured; also in <c>report.json</c>.</returns>
    /// <exception cref="UserErrorException">The folder holds another recipe's run.</exception>
    public RunReport Everything()
    {
        using var run = Begin();
        var text = RunText.Prepare(plan, folder, watch.Progress, cancellation);
        var measure = new RunMeasure(plan, text, watch, cancellation);
        var rows = ImmutableArray.CreateBuilder<ReportRow>();

        Convert();
        using var teacher = LoadTeacher();
        if (teacher is not null)
        {
            rows.Add(measure.Row("teacher", teacher, rows));
            rows.Add(AfterSwap(measure, rows));
        }

        using var model = LoadStart();
        var result = Train(run, model, teacher, text);
        rows.Add(measure.Row(plan.Conversion is null ? "trained" : "after finetuning", model, rows));
        Export(model, rows);
        rows.Add(AsExported(measure, rows));
        var report = new RunReport(
            plan.Recipe.Name, rows.ToImmutable(), measure.Windows, plan.Recipe.Data.WindowLength, result.Tokens, result.ElapsedSeconds, ExportFolder);
        AtomicFile.WriteAllText(Path.Combine(folder, RunReport.FileName), report.ToJson());
        return report;
    }

    /// <summary>Conversion and training alone.</summary>
    /// <returns>What training left.</returns>
    /// <exception cref="UserErrorException">The folder holds another recipe's run.</exception>
    public TrainingResult Training()
    {
        using var run = Begin();
        var text = RunText.Prepare(plan, folder, watch.Progress, cancellation);
        Convert();
        using var teacher = plan.NeedsTeacher ? LoadTeacher() : null;
        using var model = LoadStart();
        return Train(run, model, teacher, text);
    }

    private string ConvertedFolder => Path.Combine(folder, "converted");

    private string ExportFolder => Path.Combine(folder, "export");

    // Whose tokenizer and generation settings an export carries.
    private string Companions => plan.Conversion is null ? plan.TokenizerFolderPath : ConvertedFolder;

    private RunFolder Begin()
    {
        var run = RunFolder.Open(folder);
        AtomicFile.WriteAllText(Path.Combine(folder, RecipeFile), plan.Recipe.Resolved);
        new RunRecord(
            Path.GetFullPath(plan.Conversion is null ? plan.Recipe.Model.Source ?? plan.Recipe.Model.Config! : ConvertedFolder),
            Path.GetFullPath(Companions),
            DtypeName.Of(plan.ExportDtype)).Save(folder);
        return run;
    }

    private void Convert()
    {
        if (plan.Conversion is not { } conversion)
        {
            return;
        }

        if (!Directory.Exists(ConvertedFolder))
        {
            Converter.Run(conversion, ConvertedFolder, replace: false, watch.Progress, cancellation);
        }
        else if (ConversionRecord.Find(ConvertedFolder)?.ToJson() != ConversionRecord.Of(conversion).ToJson())
        {
            throw new UserErrorException(
                $"{ConvertedFolder}: this run converted with other settings (see {ConversionRecord.FileName} there); give the old settings, or another folder with --out.");
        }
    }

    private CausalLM? LoadTeacher() => plan.Conversion is null ? null : plan.Source!.Load(plan.Device, plan.Dtype);

    // What training starts from: the converted model, the source as it is, or random weights.
    private CausalLM LoadStart()
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

    private ReportRow AfterSwap(RunMeasure measure, IReadOnlyList<ReportRow> before)
    {
        using var swapped = LoadStart();
        return measure.Row("after the swap", swapped, before);
    }

    private void Export(CausalLM model, IReadOnlyList<ReportRow> rows)
    {
        Exporter.Export(model, ExportFolder, new ExportOptions
        {
            Dtype = plan.ExportDtype,
            Origin = Companions,
            Recipe = plan.Recipe.Resolved,
            Figures = [.. rows.Select(r => new MeasuredFigure($"perplexity, {r.Model}", $"{r.Perplexity:F2}"))],
            Replace = true,
        }, watch.Progress, cancellation);
    }

    // The folder as a user will find it, read the way it will serve.
    private ReportRow AsExported(RunMeasure measure, IReadOnlyList<ReportRow> before)
    {
        using var exported = ModelFolder.Open(ExportFolder);
        using var model = exported.Load(plan.Device, plan.Dtype);
        return model.Config.IsRecurrent ? measure.RecurrentRow("exported, token by token", model, before) : measure.Row("exported", model, before);
    }
}
