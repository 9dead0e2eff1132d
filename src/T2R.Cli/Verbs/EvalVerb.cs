using System.CommandLine;
using System.Diagnostics;
using T2R.Data;
using T2R.Evaluation;
using T2R.Models;
using T2R.Ops.GatedSlot;
using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Cli.Verbs;

internal static class EvalVerb
{
    public static Command Create()
    {
        var model = new ModelOptions();
        var text = new WindowOptions(required: true);
        var form = new Option<GatedSlotForm>("--form")
        {
            Description = "chunk: all tokens of a window at once. recurrent: one after another with a state, as in decoding.",
            DefaultValueFactory = _ => GatedSlotForm.Chunk,
            HelpName = "chunk|recurrent",
        };
        var reset = new Option<bool>("--reset-at-documents") { Description = "Let state and attention begin anew at each document inside a window." };
        var stream = new Option<bool>("--stream") { Description = "Read the whole text as one, from its beginning to its end with the state carried on, and show how the perplexity fares with the position." };
        var tokens = new Option<long?>("--tokens") { Description = "With --stream: how many tokens from the beginning; without it all.", HelpName = "N" };
        var plot = new Option<string?>("--plot") { Description = "With --stream: a picture to make of it, a PNG; replaced if it is there.", HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Print the result as JSON." };
        form.AcceptOnlyFromAmong("chunk", "recurrent");
        var verb = new Verb("eval", "Measures a model's perplexity on a text: in windows that do not overlap, or as one long text.")
        {
            Examples =
            [
                "t2r eval out/gsa --data valid.txt",
                "t2r eval out/gsa --data valid.jsonl.zst --windows 64 --form recurrent --json",
                "t2r eval out/gsa --data valid.txt --quantize int4",
                "t2r eval out/gsa --data book.txt --stream --plot book.png",
            ],
        };
        model.AddTo(verb);
        text.AddTo(verb);
        Option[] ofWindows = [.. text.OfWindows, form, reset], ofStream = [tokens, plot];
        foreach (Option option in (Option[])[form, reset, stream, .. ofStream, json])
        {
            verb.Options.Add(option);
        }

        verb.Does((parsed, stop) =>
        {
            var problems = new Problems();
            AtLeast(parsed.GetValue(tokens) ?? 2, 2, "--tokens", problems);
            bool isStream = parsed.GetValue(stream);
            foreach (Option option in (isStream ? ofWindows : ofStream).Where(o => parsed.GetResult(o) is { Implicit: false }))
            {
                problems.Add($"{option.Name} has no effect {(isStream ? "with" : "without")} --stream; leave it out.");
            }

            CheckPlot(parsed.GetValue(plot), problems);
            Device? device = model.Device(parsed, problems);
            ScalarType? dtype = model.Dtype(parsed, problems);
            QuantizedFormat? quantization = model.Quantization(parsed, problems);
            using ModelFolder? folder = model.Open(parsed, problems);
            using var progress = new ProgressReporter();
            Func<TokenStream>? read = text.Find(parsed, folder, progress, problems, stop);
            problems.ThrowIfAny();

            TokenStream ids = read!();
            if (isStream)
            {
                long length = Math.Min(ids.Count, parsed.GetValue(tokens) ?? long.MaxValue);
                CheckLength(length, text.Path(parsed)!);
                ModelOptions.WarnBeyondTraining(folder!.Config, length);
                using CausalLM reader = ModelOptions.Load(folder, device!, dtype!.Value, quantization);
                ShowStream(StreamPerplexity.Of(reader, ids, length, progress, stop), parsed.GetValue(plot), parsed.GetValue(json));
                return;
            }

            PackedWindows windows = text.Cut(parsed, ids);
            int count = text.Count(parsed, windows);
            using CausalLM loaded = ModelOptions.Load(folder!, device!, dtype!.Value, quantization);
            long began = Stopwatch.GetTimestamp();
            Perplexity perplexity = parsed.GetValue(form) == GatedSlotForm.Recurrent
                ? RecurrentPerplexity.Of(loaded, windows, count, text.BatchSize(parsed), parsed.GetValue(reset), progress, stop)
                : text.Measure(parsed, loaded, windows, parsed.GetValue(reset), progress, stop);
            Show(perplexity, count, windows.WindowLength, Stopwatch.GetElapsedTime(began), parsed.GetValue(json));
        });
        return verb;
    }

    private static void Show(Perplexity perplexity, int windows, int windowLength, TimeSpan time, bool asJson)
    {
        perplexity.Require();
        if (asJson)
        {
            Screen.PrintJson(new { Perplexity = perplexity.Value, perplexity.Loss, perplexity.Predictions, Windows = windows, WindowLength = windowLength, Seconds = time.TotalSeconds });
        }
        else
        {
            Screen.Print($"perplexity {perplexity.Value:0.00} over {perplexity.Predictions:N0} predictions, {windows:N0} windows of {windowLength:N0} tokens, {Quantity.Duration(time)}");
        }
    }

    private static void ShowStream(StreamPerplexity measured, string? picture, bool asJson)
    {
        measured.Whole.Require();
        Show(measured, asJson);
        if (picture is null)
        {
            return;
        }

        PositionPlot.Write(measured.Positions, picture);
        if (!asJson)
        {
            Screen.Print($"The picture is {picture}.");
        }
    }

    private static void Show(StreamPerplexity measured, bool asJson)
    {
        if (asJson)
        {
            Screen.PrintJson(new
            {
                Perplexity = measured.Whole.Value,
                measured.Whole.Loss,
                measured.Whole.Predictions,
                Positions = measured.Positions.Select(p => new { p.First, p.Last, Perplexity = p.Perplexity.Value, p.Perplexity.Loss }),
            });
            return;
        }

        var table = new ScreenTable(["#tokens before", "#perplexity"]);
        foreach (PositionLoss position in measured.Positions)
        {
            table.Row([$"{position.First:N0} to {position.Last:N0}", $"{position.Perplexity.Value:0.00}"]);
        }

        Screen.Print(table);
        Screen.Print($"perplexity {measured.Whole.Value:0.00} over {measured.Whole.Predictions:N0} predictions in one text");
    }

    private static void CheckPlot(string? path, Problems problems)
    {
        if (path is not null && !path.EndsWith(".png", StringComparison.OrdinalIgnoreCase))
        {
            problems.Add($"--plot is {path}; expected a name that ends in .png.");
        }
        else if (path is not null && !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path))))
        {
            problems.Add($"--plot is {path}, whose folder does not exist; create it or choose another path.");
        }
    }

    private static void CheckLength(long length, string path)
    {
        if (length < 2)
        {
            throw new UserErrorException($"{path}: the text has {length} token, so that there is nothing to predict; add text.");
        }
    }

    private static void AtLeast(long given, long least, string option, Problems problems)
    {
        if (given < least)
        {
            problems.Add($"{option} is {given}; expected at least {least}.");
        }
    }
}
