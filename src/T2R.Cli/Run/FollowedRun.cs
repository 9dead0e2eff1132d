using T2R.Recipes;

namespace T2R.Cli.Run;

/// <summary>A run with all that follows it: progress and lines on the screen, the log in its folder.</summary>
internal static class FollowedRun
{
    public static T Do<T>(RecipePlan plan, string folder, IReadOnlyList<string> overrides, Func<RecipeRun, T> work, CancellationToken stop)
    {
        PlanView.Note(plan, folder);
        using var log = new RunLog(folder);
        using var progress = new ProgressReporter();
        var watch = new RunWatch(progress, [new TrainingView(plan.Recipe.Training, progress), log], (row, windows) =>
        {
            Screen.Note($"{row.Model}: perplexity {row.Perplexity:F2} over {Quantity.Windows(windows)}");
            log.Measured(row, windows);
        });
        try
        {
            log.Began(plan, overrides);
            T result = work(new RecipeRun(plan, folder, watch, stop));
            log.Ended();
            return result;
        }
        catch (Exception e)
        {
            log.Failed(e);
            throw;
        }
    }
}
