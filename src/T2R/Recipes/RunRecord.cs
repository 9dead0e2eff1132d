using System.Text.Json;
using T2R.Checkpoints;
using T2R.Conversion;
using T2R.Models;

namespace T2R.Recipes;

/// <summary>What a run's folder must know to be exported later, when the recipe's paths may not lead anywhere any more: <c>run.json</c>.</summary>
/// <param name="Shape">
/// Folder, config.json or known name that the trained model's shape is read from; if it is a folder, the weights that the run began with are in it too. A path inside
/// the run's folder is relative to it.
/// </param>
/// <param name="Companions">Folder whose tokenizer, generation settings and conversion record go along; likewise.</param>
/// <param name="ExportDtype">Type of the exported weights, by its name.</param>
/// <param name="Dtype">Type of the matrices while they are trained, likewise.</param>
/// <param name="Seed">Of the random weights that the run began with; null when it began with a folder's.</param>
/// <param name="Fingerprint">Of the folder's weights that the run began with (<see cref="ModelFolder.Fingerprint"/>); null when they are in the run's folder, or random.</param>
internal sealed record RunRecord(string Shape, string Companions, string ExportDtype, string Dtype, long? Seed = null, string? Fingerprint = null)
{
    private const string FileName = "run.json";

    private static readonly JsonSerializerOptions Style = new() { RespectRequiredConstructorParameters = true, RespectNullableAnnotations = true };

    /// <summary>What a recipe's run leaves. Paths inside the run's folder are relative, so that the folder can be moved.</summary>
    public static RunRecord Of(RecipePlan plan)
    {
        var (export, trained) = (DtypeName.Of(plan.ExportDtype), DtypeName.Of(plan.Dtype));
        return plan.Conversion is not null
            ? new RunRecord(RecipeRun.ConvertedName, RecipeRun.ConvertedName, export, trained)
            : new RunRecord(
                plan.Recipe.Model is { Config: { } shape } && RandomModel.Presets.ContainsKey(shape) ? shape : Path.GetFullPath(plan.Recipe.Model.Source ?? plan.Recipe.Model.Config!),
                Path.GetFullPath(plan.TokenizerFolderPath),
                export,
                trained,
                plan.Source is null ? plan.Recipe.Model.Seed : null,
                plan.Source?.Fingerprint());
    }

    /// <summary>The trained model's shape.</summary>
    /// <param name="runFolder">The run's folder, for the error.</param>
    /// <exception cref="UserErrorException">What it is read from is not there any more, or damaged.</exception>
    public ModelConfig ReadShape(string runFolder) => RandomModel.Presets.ContainsKey(Shape) || Path.Exists(Shape)
        ? RandomModel.Shape(Directory.Exists(Shape) ? Path.Combine(Shape, "config.json") : Shape)
        : throw new UserErrorException($"{runFolder}: the run began with {Shape}, which is not there; put it back.");

    public void Save(string runFolder) => AtomicFile.WriteAllText(Path.Combine(runFolder, FileName), JsonSerializer.Serialize(this, Style));

    /// <summary>The record in a run's folder; null where there is none that can be read.</summary>
    public static RunRecord? Find(string runFolder)
    {
        try
        {
            return File.Exists(Path.Combine(runFolder, FileName)) ? Load(runFolder) : null;
        }
        catch (UserErrorException)
        {
            // Of an early version, or damaged; it is written anew.
            return null;
        }
    }

    public static RunRecord Load(string runFolder)
    {
        string path = Path.Combine(runFolder, FileName);
        if (!File.Exists(path))
        {
            throw new UserErrorException($"{runFolder}: no {FileName} in it; expected the folder of a run, such as runs/quickstart.");
        }

        try
        {
            var record = JsonSerializer.Deserialize<RunRecord>(File.ReadAllBytes(path), Style) ?? throw new JsonException("null");
            return record with { Shape = At(record.Shape), Companions = At(record.Companions) };
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{path}: not the record of a run ({e.Message}); give the same `t2r run` or `t2r train` command again to write it anew.", e);
        }

        string At(string recorded) => RandomModel.Presets.ContainsKey(recorded) ? recorded : Path.Combine(runFolder, recorded);
    }
}
