using System.CommandLine;
using System.Globalization;
using T2R.Bench;
using T2R.Interop.Cuda;

namespace T2R.Cli.Verbs;

internal static class BenchVerb
{
    public static Command Create()
    {
        var verb = new Verb("bench", "Times what T2R computes on a card against the least time that the card allows. Nothing is timed whose results are not those of the reference.")
        {
            Examples = ["t2r bench gsa", "t2r bench gsa --length 32768 --json"],
        };
        verb.Subcommands.Add(Operator());
        return verb;
    }

    private static Verb Operator()
    {
        var verb = new Verb("gsa", "Times the gated slot operator in bf16, forward and backward. The defaults are Mistral-7B's layer.")
        {
            Examples = ["t2r bench gsa", "t2r bench gsa --length 32768", "t2r bench gsa --heads 6 --kv-heads 2 --head-dim 64 --slots 32 --json"],
        };
        var batch = Number("--batch", 1, "Sequences.");
        var length = Number("--length", 8192, "Tokens of a sequence.");
        var heads = Number("--heads", 32, "Query heads.");
        var keyValueHeads = Number("--kv-heads", 8, "Key-value heads.");
        var headDim = Number("--head-dim", 128, "Numbers of a head.");
        var slots = Number("--slots", 64, "Slots of a key-value head.");
        var times = Number("--times", 50, "How often each is timed; the median counts.");
        var json = new Option<bool>("--json") { Description = "Print the result as JSON." };
        verb.Options.Add(json);
        verb.Does((parsed, _) =>
        {
            var problems = new Problems();
            foreach (var option in new[] { batch, length, heads, keyValueHeads, headDim, slots, times }.Where(o => parsed.GetValue(o) < 1))
            {
                problems.Add($"{option.Name} is {parsed.GetValue(option)}, expected at least 1");
            }

            if (parsed.GetValue(heads) % Math.Max(1, parsed.GetValue(keyValueHeads)) != 0)
            {
                problems.Add($"--heads {parsed.GetValue(heads)} is not a multiple of --kv-heads {parsed.GetValue(keyValueHeads)}");
            }

            problems.ThrowIfAny();
            var shape = new OperatorShape(
                parsed.GetValue(batch), parsed.GetValue(length), parsed.GetValue(heads), parsed.GetValue(keyValueHeads), parsed.GetValue(headDim), parsed.GetValue(slots));
            var card = Card();
            Screen.Note("measuring the card's own rates");
            var rates = CardRates.Measure();
            Show(card, rates, shape, OperatorBench.Run(shape, rates, parsed.GetValue(times), Screen.Note), parsed.GetValue(json));
        });
        return verb;

        Option<int> Number(string name, int standard, string description)
        {
            var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => standard };
            verb.Options.Add(option);
            return option;
        }
    }

    private static CudaDevice Card() => CudaDevice.All() is [var card, ..] ? card : throw new UserErrorException("t2r bench needs a CUDA card; t2r doctor says what is there");

    private static void Show(CudaDevice card, CardRates rates, object shape, BenchResult result, bool asJson)
    {
        if (asJson)
        {
            Screen.PrintJson(new { Card = card.Name, Rates = rates, Shape = shape, result.Errors, result.Lines });
            return;
        }

        string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
        Screen.Print(Format($"{card.Name}: {rates.BytesPerSecond / 1e12:F2} TB/s, {rates.OperationsPerSecond / 1e12:F0} TFLOP/s measured"));
        Screen.Print(shape.ToString()!);
        Screen.Print("off the reference: " + string.Join(", ", result.Errors.Select(e => Format($"{e.Key} {e.Value:e1}"))));
        var table = new ScreenTable("", "#ms", "#floor ms", "#× floor");
        foreach (var line in result.Lines)
        {
            table.Row(line.Name, Format($"{line.Seconds * 1000:F3}"), Format($"{line.FloorSeconds * 1000:F3}"), Format($"{line.TimesFloor:F1}"));
        }

        Screen.Print(table);
    }
}
