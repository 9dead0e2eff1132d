using System.CommandLine;
using T2R.Bench;
using T2R.Cli.Bench;

namespace T2R.Cli.Verbs;

internal static class BenchBlockVerb
{
    public static Command Create()
    {
        var verb = new Verb("block", "Times one block with gated slot attention in bf16, forward and backward as in training. The defaults are Mistral-7B's.")
        {
            Examples = ["t2r bench block", "t2r bench block --batch 4 --length 2048", "t2r bench block --hidden 2048 --intermediate 5632 --kv-heads 4 --head-dim 64 --json"],
        };
        var options = new BenchOptions(verb);
        var layer = new LayerOptions(options);
        var hidden = options.Number("--hidden", 4096, "Width of the residual stream.");
        var intermediate = options.Number("--intermediate", 14336, "Width inside the MLP.");
        options.Do(
            (parsed, problems) =>
            {
                var of = layer.Operator(parsed, problems);
                var shape = new BlockShape(of.Batch, of.Length, parsed.GetValue(hidden), parsed.GetValue(intermediate), of.Heads, of.KeyValueHeads, of.HeadDim, of.Slots);
                return new { Shape = shape, Times = layer.Times(parsed) };
            },
            (asked, card, asJson) =>
            {
                var rates = RatesView.Measure();
                LayerView.Show(card, rates, asked.Shape, BlockBench.Run(asked.Shape, rates, asked.Times, Screen.Note), asJson);
            });
        return verb;
    }
}
