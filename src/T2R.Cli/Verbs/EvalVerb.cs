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
        var json = new Option<bool>("--json") { Description = "Print the result as JSON." };
        form.AcceptOnlyFromAmong("chunk", "recurrent");
        var verb = new Verb("eval", "Measures a model's perplexity on a text, in windows that do not overlap.")
        {
            Examples =
            [
                "t2r eval out/gsa --data valid.txt",
                "t2r eval out/gsa --data valid.jsonl.zst --windows 64 --form recurrent --json",
                "t2r eval out/gsa --data valid.txt --quantize int4",
            ],
        };
        model.AddTo(verb);
        text.AddTo(verb);
        foreach (Option option in new Option[] { form, reset, json })
        {
            verb.Options.Add(option);
        }

        verb.Does((parsed, stop) =>
        {
            var problems = new Problems();
            Device? device = model.Device(parsed, problems);
            ScalarType? dtype = model.Dtype(parsed, problems);
            QuantizedFormat? quantization = model.Quantization(parsed, problems);
            using ModelFolder? folder = model.Open(parsed, problems);
            using var progress = new ProgressReporter();
            Func<TokenStream>? read = text.Find(parsed, folder, progress, problems, stop);
            problems.ThrowIfAny();

            PackedWindows windows = text.Cut(parsed, read!());
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
        if (asJson)
        {
            Screen.PrintJson(new { Perplexity = perplexity.Value, perplexity.Loss, perplexity.Predictions, Windows = windows, WindowLength = windowLength, Seconds = time.TotalSeconds });
        }
        else
        {
            Screen.Print($"perplexity {perplexity.Value:0.00} over {perplexity.Predictions:N0} predictions, {windows:N0} windows of {windowLength:N0} tokens, {Quantity.Duration(time)}");
        }
    }
}
