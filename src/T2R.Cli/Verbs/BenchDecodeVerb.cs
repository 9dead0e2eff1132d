using System.CommandLine;
using System.Globalization;
using T2R.Bench;
using T2R.Cli.Bench;
using T2R.Conversion;
using T2R.Ops.Quantized;

namespace T2R.Cli.Verbs;

internal static class BenchDecodeVerb
{
    public static Command Create()
    {
        var verb = new Verb("decode", "Times what a recurrent model of random weights generates, one sequence and several at once, and how fast it reads a prompt.")
        {
            Examples = ["t2r bench decode", "t2r bench decode --batch 1 8 64 --prompt-length 32768", "t2r bench decode --quantize int4", "t2r bench decode --config my/config.json --json"],
        };
        var config = new Option<string>("--config")
        {
            Description = $"The shape, before its conversion or after: a config.json, or one of {string.Join(", ", RandomModel.Presets.Keys)}.",
            DefaultValueFactory = _ => "mistral-7b",
        };
        var batches = new Option<int[]>("--batch") { Description = "Sequences at once; several are timed one after the other.", DefaultValueFactory = _ => [1, 8, 64], AllowMultipleArgumentsPerToken = true };
        var quantize = new Option<string?>("--quantize") { Description = $"Hold the blocks' matrices in few bits: {string.Join(" or ", QuantizedFormat.All.Select(f => f.Name))}.", HelpName = "FORMAT" };
        verb.Options.Add(config);
        verb.Options.Add(quantize);
        verb.Options.Add(batches);
        var options = new BenchOptions(verb);
        var steps = options.Number("--steps", 100, "How many tokens of each sequence are timed.");
        var promptLength = options.Number("--prompt-length", 32768, "Tokens of the prompt.");
        options.Do(
            (parsed, problems) =>
            {
                int[] given = parsed.GetRequiredValue(batches);
                foreach (int batch in given.Where(b => b < 1))
                {
                    problems.Add($"--batch is {batch}, expected at least 1.");
                }

                var shape = problems.Try("--config", () => DecodeBench.Shape(parsed.GetRequiredValue(config)));
                QuantizedFormat? format = parsed.GetValue(quantize) is { } name ? problems.Try(() => QuantizedFormat.Parse(name)) : null;
                return shape is null ? null : new { Config = shape with { Quantization = format }, Batches = given, Steps = parsed.GetValue(steps), PromptLength = parsed.GetValue(promptLength) };
            },
            (asked, card, asJson) =>
            {
                var rates = RatesView.Measure();
                var found = DecodeBench.Run(asked.Config, asked.Batches, asked.PromptLength, rates, asked.Steps, Screen.Note);
                if (asJson)
                {
                    Screen.PrintJson(new { Card = card.Name, Rates = rates, found.Agreements, found.Steps, found.Prompt, found.PromptLength, found.StateBytes });
                    return;
                }

                Screen.Print(RatesView.Text(card, rates));
                Screen.Print("off the reference, ‖a − b‖ / ‖b‖: " + string.Join(", ", found.Agreements.Select(a => Format($"{a.Key} {a.Value.Error:e1}"))));
                var table = new ScreenTable("sequences", "#ms a token", "#floor ms", "#× floor", "#tokens/s");
                foreach (var line in found.Steps)
                {
                    double sequences = double.Parse(line.Name, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
                    table.Row(line.Name, Format($"{line.Seconds * 1000:F3}"), Format($"{line.FloorSeconds * 1000:F3}"), Format($"{line.TimesFloor:F2}"), Format($"{sequences / line.Seconds:F0}"));
                }

                Screen.Print(table);
                Screen.Print(Format(
                    $"A prompt of {found.PromptLength:N0} tokens: {found.Prompt.Seconds:F3} s, {found.PromptLength / found.Prompt.Seconds:F0} tokens/s, {found.Prompt.TimesFloor:F2} times the floor. A sequence's state takes {Quantity.Bytes(found.StateBytes)}."));
            });
        return verb;
    }

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
