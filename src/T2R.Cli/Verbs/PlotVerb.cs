using System.CommandLine;
using T2R.Training;

namespace T2R.Cli.Verbs;

internal static class PlotVerb
{
    public static Command Create()
    {
        var verb = new Verb("plot", "Draws runs' perplexities on held-out text over the tokens they were trained on, in one picture, and prints them.")
        {
            Examples =
            [
                "t2r plot runs/recovery --out recovery.png",
                "t2r plot spread=runs/recovery random=runs/recovery-random elsewhere=measured.jsonl --out recovery.png",
            ],
            UsesLibTorch = false,
        };
        var runs = new Argument<string[]>("RUN")
        {
            Description = "A run's folder, finished or not, or a .jsonl file whose lines have tokens and perplexity; with LABEL= before it, what the picture calls it.",
            Arity = ArgumentArity.OneOrMore,
        };
        var output = new Option<string>("--out") { Description = "The picture to make, a PNG; replaced if it is there.", Required = true, HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Print the perplexities as JSON." };
        verb.Arguments.Add(runs);
        verb.Options.Add(output);
        verb.Options.Add(json);
        verb.Does((parsed, _) =>
        {
            var problems = new Problems();
            string target = parsed.GetRequiredValue(output);
            if (!target.EndsWith(".png", StringComparison.OrdinalIgnoreCase))
            {
                problems.Add($"--out is {target}; expected a name that ends in .png.");
            }

            List<EvaluationCurve> curves = [.. parsed.GetRequiredValue(runs).Select(r => problems.Try(() => EvaluationCurve.Read(r))).OfType<EvaluationCurve>()];
            problems.ThrowIfAny();
            RecoveryPlot.Write(curves, target);
            Show(curves, target, parsed.GetValue(json));
        });
        return verb;
    }

    private static void Show(List<EvaluationCurve> curves, string target, bool asJson)
    {
        if (asJson)
        {
            Screen.PrintJson(new { Out = target, Curves = curves.Select(c => new { c.Label, Points = c.Points.Select(p => new { p.Tokens, p.Perplexity }) }) });
            return;
        }

        var table = new ScreenTable(["#tokens", .. curves.Select(c => $"#{c.Label}")]);
        foreach (long tokens in curves.SelectMany(c => c.Points).Select(p => p.Tokens).Distinct().Order())
        {
            table.Row([$"{tokens:N0}", .. curves.Select(c => c.Points.FirstOrDefault(p => p.Tokens == tokens) is { Perplexity: > 0 and var perplexity } ? $"{perplexity:N2}" : string.Empty)]);
        }

        Screen.Print(table);
        Screen.Print($"The picture is {target}.");
    }
}
