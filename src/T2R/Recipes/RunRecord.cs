using System.Text.Json;
using T2R.Checkpoints;
using T2R.Conversion;
using T2R.Models;

namespace T2R.Recipes;

/// <summary>What a run's folder must know to be exported later, when the recipe's paths may not lead anywhere any more: <c>run.json</c>.</summary>
/// <param name="Shape">Folder or config.json that the trained model's shape is read from.</param>
/// <param name="Companions">Folder whose tokenizer, generation settings and conversion record go along.</param>
/// <param name="ExportDtype">Type of the exported weights, by its short name.</param>
internal sealed record RunRecord(string Shape, string Companions, string ExportDtype)
{
    private const string FileName = "run.json";

    /// <summary>The trained model's shape.</summary>
    public ModelConfig ReadShape()
    {
        if (!Directory.Exists(Shape))
        {
            return RandomModel.Shape(Shape);
        }

        using var folder = ModelFolder.Open(Shape);
        return folder.Config;
    }

    public void Save(string runFolder) => AtomicFile.WriteAllText(Path.Combine(runFolder, FileName), JsonSerializer.Serialize(this));

    public static RunRecord Load(string runFolder)
    {
        string path = Path.Combine(runFolder, FileName);
        if (!File.Exists(path))
        {
            throw new UserErrorException($"{runFolder}: no {FileName} in it; expected the folder of a run, such as runs/quickstart.");
        }

        try
        {
            return JsonSerializer.Deserialize<RunRecord>(File.ReadAllBytes(path)) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{path}: not the record of a run ({e.Message}); give the same `t2r run` or `t2r train` command again to write it anew.", e);
        }
    }
}
