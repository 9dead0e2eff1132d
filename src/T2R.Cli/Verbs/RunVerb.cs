using System.CommandLine;
using T2R.Cli.Run;
using T2R.Recipes;

namespace T2R.Cli.Verbs;

internal static class RunVerb
{
    public static Command Create()
    {
        var verb = new Verb("run", "Does what a recipe says: convert, train, measure, export, sample. The same command again goes on where it stopped.")
        {
            Examples =
            [
                "t2r run recipes/quickstart.yaml",
                "t2r run recipes/quickstart.yaml --dry-run",
                "t2r run recipes/quickstart.yaml --out runs/longer training.steps=600 training.optimizer.learning_rate=1e-3",
            ],
        };
        var arguments = new RecipeArguments(verb, exports: true);
        arguments.Do(verb, (parsed, plan, folder, stop) =>
        {
            RunReport report = FollowedRun.Do(plan, folder, arguments.Overrides(parsed), run => run.Everything(), stop);
            ReportView.Show(report, arguments.IsJson(parsed));
        });
        return verb;
    }
}
