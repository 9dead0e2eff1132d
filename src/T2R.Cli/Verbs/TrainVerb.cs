using System.CommandLine;
using T2R.Cli.Run;

namespace T2R.Cli.Verbs;

internal static class TrainVerb
{
    public static Command Create()
    {
        var verb = new Verb("train", "Converts and trains as a recipe says, without measuring or exporting. The same command again goes on where it stopped.")
        {
            Examples = ["t2r train recipes/quickstart.yaml", "t2r train recipes/quickstart.yaml --out runs/mine training.steps=100"],
        };
        var arguments = new RecipeArguments(verb, exports: false);
        arguments.Do(verb, (parsed, plan, folder, stop) =>
        {
            var result = FollowedRun.Do(plan, folder, arguments.Overrides(parsed), run => run.Training(), stop);
            if (arguments.IsJson(parsed))
            {
                Screen.PrintJson(result);
                return;
            }

            string perplexity = result.Evaluation is { } evaluation ? $"; perplexity {evaluation.Perplexity:F2} over {Quantity.Windows(evaluation.Predictions / (plan.Recipe.Data.WindowLength - 1))}" : string.Empty;
            Screen.Print($"{result.Steps:N0} steps, {result.Tokens:N0} tokens in {Quantity.Duration(TimeSpan.FromSeconds(result.ElapsedSeconds))}{perplexity}.");
            ReportView.Memory(result.PlannedBytes, result.PeakBytes);
            Screen.Print($"The weights lie in {result.Checkpoint}; `t2r export {folder} --out DIR` makes a model's folder of them.");
        });
        return verb;
    }
}
