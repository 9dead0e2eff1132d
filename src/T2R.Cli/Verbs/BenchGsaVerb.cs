using System.CommandLine;
using T2R.Bench;
using T2R.Cli.Bench;

namespace T2R.Cli.Verbs;

internal static class BenchGsaVerb
{
    public static Command Create()
    {
        var verb = new Verb("gsa", "Times the gated slot operator in bf16, forward and backward. The defaults are Mistral-7B's layer.")
        {
            Examples = ["t2r bench gsa", "t2r bench gsa --length 32768", "t2r bench gsa --heads 6 --kv-heads 2 --head-dim 64 --slots 32 --json"],
        };
        var options = new BenchOptions(verb);
        var layer = new LayerOptions(options);
        options.Do(
            (parsed, problems) => new { Shape = layer.Operator(parsed, problems), Times = layer.Times(parsed) },
            (asked, card, asJson) =>
            {
                var rates = RatesView.Measure();
                LayerView.Show(card, rates, asked.Shape, OperatorBench.Run(asked.Shape, rates, asked.Times, Screen.Note), asJson);
            });
        return verb;
    }
}
