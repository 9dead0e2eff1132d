using System.CommandLine;
using System.Globalization;
using T2R.Conversion;
using T2R.Data;
using T2R.Evaluation;
using T2R.Models;
using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Cli.Verbs;

internal static class QuantizeVerb
{
    public static Command Create()
    {
        var verb = new Verb("quantize", "Makes a smaller folder of a recurrent model's: its blocks' matrices in few bits. Only T2R reads such a folder, and only to run it.")
        {
            Examples = ["t2r quantize my-model --to int8 --out my-model-int8", "t2r quantize my-model --to int4 --out my-model-int4 --data valid.txt --windows 64"],
        };
        var source = new Argument<string>("source") { Description = "A recurrent or hybrid model's folder." };
        var output = new Option<string>("--out") { Description = "The folder to make.", Required = true };
        var to = new Option<string>("--to") { Description = $"{string.Join(" or ", QuantizedFormat.All)}.", Required = true, HelpName = "FORMAT" };
        var force = new Option<bool>("--force") { Description = "Replace the model that lies there." };
        var json = new Option<bool>("--json") { Description = "Print what was made as JSON." };
        var text = new WindowOptions(required: false);
        verb.Arguments.Add(source);
        foreach (Option option in (Option[])[output, to, force, json])
        {
            verb.Options.Add(option);
        }

        text.AddTo(verb);
        verb.Does((parsed, stop) =>
        {
            var problems = new Problems();
            string target = parsed.GetValue(output)!;
            QuantizedFormat? format = problems.Try(() => QuantizedFormat.Parse(parsed.GetValue(to)!));
            using var progress = new ProgressReporter();
            using ModelFolder? folder = problems.Try(() => ModelFolder.Open(parsed.GetValue(source)!));
            CheckSource(folder, problems);
            problems.Try(() => FolderWriter.CheckTarget(target, parsed.GetValue(force), parsed.GetValue(source)));
            Func<TokenStream>? read = text.Find(parsed, folder, progress, problems, stop);
            problems.ThrowIfAny();
            PackedWindows? windows = read is null ? null : text.Cut(parsed, read());
            Perplexity? plain = Measure(null), quantized = Measure(format);
            Exporter.Export(folder!.Config, folder.Read, target, new ExportOptions
            {
                Dtype = folder.Dtype,
                Quantization = format,
                Origin = folder.Path,
                Figures = plain is null || quantized is null ? [] : [Figure(DtypeName.Of(folder.Dtype), plain), Figure(format!.Name, quantized)],
                Replace = parsed.GetValue(force),
            }, progress, stop);
            Show(target, folder, format!, plain, quantized, parsed.GetValue(json));

            Perplexity? Measure(QuantizedFormat? held)
            {
                if (windows is null)
                {
                    return null;
                }

                using CausalLM model = folder!.Load(CPU, ScalarType.Float32, held);
                return text.Measure(parsed, model, windows, resets: false, progress, stop);
            }
        });
        return verb;
    }

    private static void CheckSource(ModelFolder? folder, Problems problems)
    {
        if (folder?.Config.Quantization is { } held)
        {
            problems.Add($"{folder.Path}: holds {held} weights, which can be run and nothing else; take the folder that they were made of.");
        }
        else if (folder is not null && QuantizedModel.WhyNot(folder.Config) is { } reason)
        {
            problems.Add($"{folder.Path}: cannot be held in few bits: {reason}.");
        }
    }

    private static MeasuredFigure Figure(string held, Perplexity perplexity) =>
        new($"perplexity with weights in {held}, computed in fp32, over {perplexity.Predictions:N0} predictions", perplexity.Value.ToString("F3", CultureInfo.InvariantCulture));

    private static void Show(string target, ModelFolder source, QuantizedFormat format, Perplexity? plain, Perplexity? quantized, bool asJson)
    {
        using ModelFolder made = ModelFolder.Open(target);
        if (asJson)
        {
            Screen.PrintJson(new { Out = target, Format = format.Name, SourceBytes = source.TotalBytes, Bytes = made.TotalBytes, SourcePerplexity = plain?.Value, Perplexity = quantized?.Value });
            return;
        }

        Screen.Print($"{Quantity.Bytes(source.TotalBytes)} became {Quantity.Bytes(made.TotalBytes)}, {format}; the model lies in {target}.");
        if (plain is not null && quantized is not null)
        {
            Screen.Print($"perplexity {plain.Value:0.000} became {quantized.Value:0.000}, both computed in fp32, over {plain.Predictions:N0} predictions");
        }
    }
}
