using T2R.Conversion;
using T2R.Training;

namespace T2R.Recipes;

/// <summary>What a recipe finds in its run's folder, looked up without writing there: the run that it would go on with, or why it may not.</summary>
/// <param name="StepsDone">Steps of the newest checkpoint; 0 when training would begin anew.</param>
/// <param name="Redrawn">A warning that the learning rate's schedule is another than the run's so far; null when it is not.</param>
public sealed record RunOutlook(int StepsDone, string? Redrawn)
{
    /// <summary>Looks.</summary>
    /// <param name="plan">The recipe.</param>
    /// <param name="folder">The run's folder, which need not exist.</param>
    /// <param name="exports">Whether an export follows the training.</param>
    /// <exception cref="UserErrorException">The folder is a file, another process trains in it, it holds another recipe's run or no run at all, or something else where the export goes; or nothing would be left of the training.</exception>
    public static RunOutlook Of(RecipePlan plan, string folder, bool exports)
    {
        using var held = RunFolder.TryHold(folder);
        Refuse(plan, folder, RunRecord.Of(plan), exports);
        return RunCheckpoint.NewestState(folder) is { } began
            ? new RunOutlook(began.Step, OptionChanges.OfSchedule(began, plan.Recipe.Training))
            : new RunOutlook(0, null);
    }

    /// <summary>Refuses what must not be overwritten.</summary>
    /// <param name="plan">The recipe.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="now">The record that the recipe would leave.</param>
    /// <param name="exports">Whether an export follows the training.</param>
    /// <exception cref="UserErrorException">Holds every problem.</exception>
    internal static void Refuse(RecipePlan plan, string folder, RunRecord now, bool exports)
    {
        var problems = new Problems();
        if (Foreign(folder) is { } foreign)
        {
            problems.Add($"{folder}: holds {foreign} and no run (there is no {RecipeRun.RecipeFile}), and a run's files would lie among them; give --out a folder that is new, empty or a run's.");
        }

        problems.Try(() => RunChanges.Refuse(plan, folder, Path.Combine(folder, RecipeRun.ConvertedName), now));
        if (exports)
        {
            problems.Try(() => FolderWriter.CheckTarget(Path.Combine(folder, RecipeRun.ExportName), replace: true, companions: null));
        }

        else if (plan.Recipe.Training.KeepLast == 0)
        {
            problems.Add("training.keep_last is 0, so that nothing of the training would be left: keep a checkpoint, or let `t2r run` export the model.");
        }

        problems.ThrowIfAny();
    }

    // What lies in a folder that no run has begun in, beside what a run that was killed early leaves.
    private static string? Foreign(string folder) => !Directory.Exists(folder) || File.Exists(Path.Combine(folder, RecipeRun.RecipeFile))
        ? null
        : Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName).FirstOrDefault(n => !n!.StartsWith('.') && !RecipeRun.LeftEarly.Contains(n));
}
