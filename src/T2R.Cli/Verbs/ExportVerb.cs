using System.CommandLine;
using T2R.Models;
using T2R.Ops.Quantized;
using T2R.Recipes;

namespace T2R.Cli.Verbs;

internal static class ExportVerb
{
    public static Command Create()
    {
        var verb = new Verb("export", "Makes a model's folder of a run's newest checkpoint: weights, config, tokenizer, model card.")
        {
            Examples = ["t2r export runs/quickstart --out my-model", "t2r export runs/quickstart --out my-model --dtype bf16 --force", "t2r export runs/quickstart --out my-model --dtype bf16 --quantize int4"],
        };
        var run = new Argument<string>("run") { Description = "A run's folder, as `t2r run` or `t2r train` left it." };
        var output = new Option<string>("--out") { Description = "The folder to make.", Required = true };
        var dtype = new Option<string?>("--dtype") { Description = $"{string.Join(", ", DtypeName.ShortNames)}; as the recipe says unless given." };
        var quantize = new Option<string?>("--quantize") { Description = $"Store the blocks' matrices in {string.Join(" or ", QuantizedFormat.All)}; only T2R reads such a folder.", HelpName = "FORMAT" };
        var force = new Option<bool>("--force") { Description = "Replace the model that lies there." };
        var json = new Option<bool>("--json") { Description = "Print what was exported as JSON." };
        verb.Arguments.Add(run);
        foreach (Option option in (Option[])[output, dtype, quantize, force, json])
        {
            verb.Options.Add(option);
        }

        verb.Does((parsed, stop) =>
        {
            using var progress = new ProgressReporter();
            string target = parsed.GetValue(output)!;
            QuantizedFormat? quantization = parsed.GetValue(quantize) is { } name ? QuantizedFormat.Parse(name) : null;
            var exported = RunExport.Newest(parsed.GetValue(run)!, target, parsed.GetValue(dtype), quantization, parsed.GetValue(force), Screen.Warn, progress, stop);
            var trained = exported.Trained;
            if (!trained.IsAll)
            {
                Screen.Warn($"the run is not finished: this is step {trained.Done:N0} of {trained.Planned:N0}, as the model card says too; `t2r run` or `t2r train` goes on with it.");
            }

            if (parsed.GetValue(json))
            {
                Screen.PrintJson(new { Run = parsed.GetValue(run), Out = target, exported.Checkpoint, Step = trained.Done, Steps = trained.Planned, trained.Tokens, exported.Parameters, exported.Dtype, Quantization = quantization?.Name });
                return;
            }

            Screen.Print($"{exported.Checkpoint}, step {trained.Done:N0} of {trained.Planned:N0}, lies in {target} as a model's folder.");
            if (quantization is not null && exported.HasFigure)
            {
                Screen.Print($"The model card's perplexity is from before the rounding to {quantization}. To have both: export without --quantize, then `t2r quantize MODEL --to {quantization} --data FILE --out DIR`.");
            }
        });
        return verb;
    }
}
