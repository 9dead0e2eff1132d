using System.CommandLine;
using System.Diagnostics;
using T2R.Data;
using T2R.Evaluation;
using T2R.Models;
using T2R.Ops.GatedSlot;
using T2R.Tokenization;
using static TorchSharp.torch;

namespace T2R.Cli.Verbs;

internal static class EvalVerb
{
    public static Command Create()
    {
        var model = new ModelOptions();
        var data = new Option<string>("--data") { Description = "Text: .txt, .jsonl, with .zst if compressed; or token ids: .u16.", Required = true, HelpName = "FILE" };
        var windows = new Option<int?>("--windows") { Description = "How many windows from the beginning; without it all.", HelpName = "N" };
        var windowLength = new Option<int>("--window-length") { Description = "Tokens in a window; each predicts one less.", DefaultValueFactory = _ => 1024, HelpName = "T" };
        var batchSize = new Option<int>("--batch-size") { Description = "Windows computed side by side.", DefaultValueFactory = _ => 8, HelpName = "B" };
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
            ],
        };
        model.AddTo(verb);
        foreach (Option option in new Option[] { data, windows, windowLength, batchSize, form, reset, json })
        {
            verb.Options.Add(option);
        }

        verb.Does((parsed, stop) =>
        {
            var problems = new Problems();
            AtLeast(parsed.GetValue(windows) ?? 1, 1, "--windows", problems);
            AtLeast(parsed.GetValue(windowLength), 2, "--window-length", problems);
            AtLeast(parsed.GetValue(batchSize), 1, "--batch-size", problems);
            Device? device = model.Device(parsed, problems);
            ScalarType? dtype = model.Dtype(parsed, problems);
            using ModelFolder? folder = model.Open(parsed, problems);
            using var progress = new ProgressReporter();
            string path = parsed.GetRequiredValue(data);
            Func<TokenStream>? read = problems.Try(() => Reader(path, folder, progress, stop));
            problems.ThrowIfAny();

            TokenStream stream = read!();
            CheckIds(stream, folder!.Config, path);
            var packed = new PackedWindows(stream, parsed.GetValue(windowLength), seed: 0);
            int count = Math.Min(parsed.GetValue(windows) ?? int.MaxValue, packed.Count);
            using CausalLM loaded = ModelOptions.Load(folder, device!, dtype!.Value);
            long began = Stopwatch.GetTimestamp();
            Perplexity perplexity = parsed.GetValue(form) == GatedSlotForm.Recurrent
                ? RecurrentPerplexity.Of(loaded, packed, count, parsed.GetValue(batchSize), parsed.GetValue(reset), progress, stop)
                : Perplexity.Of(loaded, Report(packed.Sequential(count, parsed.GetValue(batchSize), device), count, progress, stop), parsed.GetValue(reset));
            Show(perplexity, count, packed.WindowLength, Stopwatch.GetElapsedTime(began), parsed.GetValue(json));
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

    private static void AtLeast(int given, int least, string option, Problems problems)
    {
        if (given < least)
        {
            problems.Add($"{option} is {given}; expected at least {least}.");
        }
    }

    // Finds the data and what it needs; reading may take long and comes after every check.
    private static Func<TokenStream> Reader(string path, ModelFolder? folder, ProgressReporter progress, CancellationToken stop)
    {
        int begin = folder?.Config.BosTokenId ?? 0;
        if (CorpusReader.FormatOf(path) == CorpusFormat.U16)
        {
            TokenStream ids = TokenStream.FromFile(path, begin);
            return () => ids;
        }

        ICorpus corpus = CorpusReader.Open([path]);
        SentencePieceTokenizer? tokenizer = folder is null ? null : ModelOptions.OpenTokenizer(folder);
        return () => TokenStream.Build(corpus, tokenizer!, begin, progress, cancellation: stop);
    }

    private static void CheckIds(TokenStream stream, ModelConfig config, string path)
    {
        for (long i = 0; i < stream.Count; i++)
        {
            if (stream[i] >= config.VocabularySize)
            {
                throw new UserErrorException($"{path}: id {stream[i]} at position {i}; the model has {config.VocabularySize} (vocab_size): the ids are of another tokenizer.");
            }
        }
    }

    private static IEnumerable<Batch> Report(IEnumerable<Batch> batches, int windows, ProgressReporter progress, CancellationToken stop)
    {
        long done = 0;
        foreach (Batch batch in batches)
        {
            stop.ThrowIfCancellationRequested();
            long count = batch.Ids.shape[0];
            yield return batch;
            progress.Report(new StageProgress("eval", done += count, windows, "windows"));
        }
    }
}
