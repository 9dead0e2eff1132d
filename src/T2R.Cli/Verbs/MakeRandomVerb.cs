using System.CommandLine;
using T2R.Conversion;
using T2R.Models;

namespace T2R.Cli.Verbs;

internal static class MakeRandomVerb
{
    public static Command Create()
    {
        var verb = new Verb("make-random", "Writes a model's folder with random weights, for benchmarks and tests: no tokenizer, no sense.")
        {
            Examples = ["t2r make-random --config mistral-1b --out random-1b", "t2r make-random --config my/config.json --out random --dtype fp32 --seed 7"],
        };
        var config = new Option<string>("--config") { Description = $"A config.json, or one of {string.Join(", ", RandomModel.Presets.Keys)}.", Required = true };
        var output = new Option<string>("--out") { Description = "The folder to make.", Required = true };
        var seed = new Option<long>("--seed") { Description = "Of the weights.", DefaultValueFactory = _ => 1 };
        var dtype = new Option<string>("--dtype") { Description = $"What weights are stored in: {string.Join(", ", DtypeName.ShortNames)}.", DefaultValueFactory = _ => "bf16" };
        var force = new Option<bool>("--force") { Description = "Replace the model that lies there." };
        var json = new Option<bool>("--json") { Description = "Print what was made as JSON." };
        foreach (Option option in (Option[])[config, output, seed, dtype, force, json])
        {
            verb.Options.Add(option);
        }

        verb.Does((parsed, stop) =>
        {
            var stored = DtypeName.Parse(parsed.GetValue(dtype)!);
            var shape = RandomModel.Shape(parsed.GetValue(config)!);
            using (var progress = new ProgressReporter())
            {
                RandomModel.Write(shape, parsed.GetValue(output)!, parsed.GetValue(seed), stored, parsed.GetValue(force), progress, stop);
            }

            long parameters = WeightLayout.Of(shape).Sum(s => s.Count);
            if (parsed.GetValue(json))
            {
                Screen.PrintJson(new
                {
                    Out = parsed.GetValue(output),
                    Seed = parsed.GetValue(seed),
                    Dtype = DtypeName.Of(stored),
                    Parameters = parameters,
                    Bytes = parameters * DtypeName.Bytes(stored),
                });
                return;
            }

            Screen.Print($"{parameters:N0} random parameters lie in {parsed.GetValue(output)}.");
        });
        return verb;
    }
}
