using System.CommandLine;
using T2R.Cli.Inspect;
using T2R.Models;

namespace T2R.Cli.Verbs;

internal static class InspectVerb
{
    public static Command Create()
    {
        var verb = new Verb("inspect", "Says what a model's folder holds and what convert would make of it; reads headers and samples, not all weights.")
        {
            Examples = ["t2r inspect Mistral-7B-v0.1", "t2r inspect Mistral-7B-GSA --json"],
            UsesLibTorch = false,
        };
        var path = new Argument<string>("folder") { Description = "A Mistral, Llama or GSA folder." };
        var json = new Option<bool>("--json") { Description = "Print it as JSON." };
        verb.Arguments.Add(path);
        verb.Options.Add(json);
        verb.Does((parsed, _) =>
        {
            using var folder = ModelFolder.Open(parsed.GetValue(path)!);
            foreach (string warning in folder.Warnings)
            {
                Screen.Warn(warning);
            }

            var report = FolderReport.Of(folder);
            if (parsed.GetValue(json))
            {
                Screen.PrintJson(report);
            }
            else
            {
                Show(report);
            }
        });
        return verb;
    }

    private static void Show(FolderReport report)
    {
        var table = new ScreenTable("", report.Path);
        table.Row("architecture", $"{report.Architecture} ({report.Format})");
        table.Row("shape", $"{report.Layers} layers, hidden size {report.HiddenSize}, {report.Heads} heads, {report.KeyValueHeads} kv heads of {report.HeadDim}");
        table.Row("layers", report.LayerKinds);
        table.Row("vocabulary", $"{report.VocabularySize:N0}{(report.TiedHead ? ", head tied to the embedding" : "")}");
        table.Row("parameters", $"{report.Parameters.Values.Sum():N0}\n{string.Join("\n", report.Parameters.Select(p => $"{p.Key} {p.Value:N0}"))}");
        table.Row("weights", $"{string.Join(", ", report.Dtypes)}, {Quantity.Bytes(report.WeightBytes)} in {(report.WeightFiles is [var only] ? only : $"{report.WeightFiles.Count} shards, {report.WeightFiles[0]} to {report.WeightFiles[^1]}")}");
        table.Row("fingerprint", report.Fingerprint);
        table.Row("tokenizer", report.Tokenizer);
        table.Row("context", report.Window is { } window ? $"{report.MaxPositionEmbeddings:N0} positions, sliding window {window:N0}" : $"{report.MaxPositionEmbeddings:N0} positions");
        if (report.Rotary is not null)
        {
            table.Row("rotary positions", report.Rotary);
        }

        table.Row("generation", $"{report.Generation}");
        foreach (var (tokens, bytes) in report.StateBytes)
        {
            table.Row($"state at {tokens:N0}", Quantity.Bytes(bytes));
        }

        table.Row("for", report.Use);
        table.Row("convert", report.Convert);
        Screen.Print(table);
    }
}
