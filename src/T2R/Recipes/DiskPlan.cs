using System.Collections.Immutable;
using T2R.Checkpoints;
using T2R.Models;
using T2R.Training;

namespace T2R.Recipes;

/// <summary>What a run is still going to write, part by part: the converted model, checkpoints, the export. Logs, which are small, are not in it, nor tokens, of which nobody knows how many there will be: the room is looked at again behind them.</summary>
/// <param name="Folder">The run's folder.</param>
/// <param name="Parts">What it is.</param>
public sealed record DiskPlan(string Folder, ImmutableArray<DiskPart> Parts)
{
    private const string Checkpoints = "checkpoints", Export = "export";

    /// <summary>All parts together.</summary>
    public long Total => Parts.Sum(p => p.Bytes);

    /// <summary>Counts.</summary>
    /// <param name="plan">The recipe.</param>
    /// <param name="folder">The run's folder, which need not exist.</param>
    /// <param name="exports">Whether an export follows the training; one that lies there already goes only when the new one is whole.</param>
    public static DiskPlan Of(RecipePlan plan, string folder, bool exports)
    {
        var parts = ImmutableArray.CreateBuilder<DiskPart>();
        if (plan.Conversion is { } conversion && !Directory.Exists(Path.Combine(folder, RecipeRun.ConvertedName)))
        {
            parts.Add(new("converted model", 1, conversion.TargetBytes));
        }

        var checkpoints = CheckpointSpace.Of(plan.Config with { Lora = plan.Recipe.Training.Lora }, plan.Recipe.Training, plan.Dtype, folder);
        if (checkpoints.More > 0)
        {
            parts.Add(new(Checkpoints, checkpoints.More, checkpoints.Each));
        }

        if (exports)
        {
            parts.Add(new(Export, 1, WeightLayout.Of(plan.Config).Sum(s => s.Count) * DtypeName.Bytes(plan.ExportDtype)));
        }

        return new DiskPlan(folder, parts.ToImmutable());
    }

    // Without an export, a checkpoint is all that is left.
    private string Fewer(int keepLast) =>
        (keepLast > 1, Parts.Any(p => p.Name == Checkpoints) && Parts.Any(p => p.Name == Export)) switch
        {
            (true, true) => "keep fewer checkpoints (training.keep_last=1) or none (0), ",
            (true, false) => "keep fewer checkpoints (training.keep_last=1), ",
            (false, true) => "keep no checkpoint (training.keep_last=0), ",
            _ => string.Empty,
        };

    /// <summary>Checks that there is room, before anything of it is written.</summary>
    /// <param name="keepLast">How many checkpoints are kept, for what to do.</param>
    /// <param name="written">What is written already, for the message.</param>
    /// <exception cref="IOException">There is not; says what needs how much, how much is free, and what needs less.</exception>
    public void Check(int keepLast, string written = "nothing was written")
    {
        string existing = Path.GetFullPath(Folder);
        while (!Directory.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing)!;
        }

        long free = new DriveInfo(existing).AvailableFreeSpace;
        if (free < Total)
        {
            throw new IOException(
                $"Not enough disk space for the run in {Folder}: it needs {DiskFull.Size(Total)} ({string.Join(", ", Parts.Select(p => p.Text))}) and {DiskFull.Size(free)} are free there; "
                + $"{written}. Free some space, choose another place with --out, {Fewer(keepLast)}train fewer weights, or let the optimizer remember less (training.optimizer.name=adamw_8bit).");
        }
    }
}
