using System.CommandLine;
using System.Globalization;
using T2R.Conversion;
using T2R.Models;

namespace T2R.Cli.Verbs;

internal static class ConvertVerb
{
    public static Command Create()
    {
        var verb = new Verb("convert", "Turns a transformer's folder into a recurrent model's: attention becomes Gated Slot Attention, everything else is kept.")
        {
            Examples =
            [
                "t2r convert Mistral-7B-v0.1 --out Mistral-7B-GSA",
                "t2r convert Mistral-7B-v0.1 --out hybrid --keep-softmax 0,16,31 --dry-run",
                "t2r convert Mistral-7B-v0.1 --out as-the-peer --initialization random --seed 7",
            ],
            UsesLibTorch = false, // it loads while the first tensors are copied
        };
        var defaults = new ConversionOptions();
        var source = new Argument<string>("source") { Description = "A Mistral or Llama folder: config.json, weights, tokenizer." };
        var output = new Option<string>("--out") { Description = "The folder to make.", Required = true };
        var initialization = new Option<string>("--initialization") { Description = $"How new tensors start: {string.Join(" or ", Initializations.Names)}.", DefaultValueFactory = _ => defaults.Initialization };
        var slots = new Option<int>("--slots") { Description = "Slots a kv head.", DefaultValueFactory = _ => defaults.Slots };
        var keep = new Option<string?>("--keep-softmax") { Description = "Layers that keep softmax attention, from 0: 0,5." };
        var seed = new Option<long>("--seed") { Description = "Of everything random.", DefaultValueFactory = _ => defaults.Seed };
        var dtype = new Option<string?>("--dtype") { Description = $"Store everything as {string.Join(", ", DtypeName.ShortNames)}; each tensor's own unless given." };
        var dryRun = new Option<bool>("--dry-run") { Description = "Check and show what would be done; write nothing." };
        var force = new Option<bool>("--force") { Description = "Replace the model that lies there." };
        var verbose = new Option<bool>("--verbose") { Description = "Show every tensor." };
        var json = new Option<bool>("--json") { Description = "Print what was done as JSON." };
        verb.Arguments.Add(source);
        foreach (Option option in (Option[])[output, initialization, slots, keep, seed, dtype, dryRun, force, verbose, json])
        {
            verb.Options.Add(option);
        }

        verb.Does((parsed, stop) =>
        {
            var problems = new Problems();
            var options = defaults with
            {
                Initialization = parsed.GetValue(initialization)!,
                Slots = parsed.GetValue(slots),
                Seed = parsed.GetValue(seed),
                SoftmaxLayers = [.. problems.Try(() => Layers(parsed.GetValue(keep))) ?? []],
                Dtype = parsed.GetValue(dtype) is { } name ? DtypeOf(name, problems) : null,
            };
            using var folder = problems.Try(() => ModelFolder.Open(parsed.GetValue(source)!));
            var plan = folder is null ? null : problems.Try(() => Converter.Plan(folder, options));
            string target = parsed.GetValue(output)!;
            problems.Try(() => FolderWriter.CheckTarget(target, parsed.GetValue(force), parsed.GetValue(source)));
            problems.ThrowIfAny();
            foreach (string warning in plan!.Warnings)
            {
                Screen.Warn(warning);
            }

            if (!parsed.GetValue(dryRun))
            {
                using var progress = new ProgressReporter();
                Converter.Run(plan!, target, parsed.GetValue(force), progress, stop);
            }

            Report(plan!, target, parsed.GetValue(dryRun), parsed.GetValue(verbose), parsed.GetValue(json));
        });
        return verb;
    }

    private static List<int> Layers(string? text)
    {
        var layers = new List<int>();
        foreach (string word in text is null ? [] : text.Split(',', StringSplitOptions.TrimEntries))
        {
            layers.Add(int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int layer)
                ? layer
                : throw new UserErrorException($"--keep-softmax {text}: '{word}' is not a layer's number; expected numbers from 0 with commas between, such as 0,5."));
        }

        return layers;
    }

    private static TorchSharp.torch.ScalarType? DtypeOf(string name, Problems problems)
    {
        TorchSharp.torch.ScalarType? dtype = null;
        problems.Try<object>(() => dtype = DtypeName.Parse(name));
        return dtype;
    }

    private static void Report(ConversionPlan plan, string target, bool dryRun, bool verbose, bool asJson)
    {
        var totals = LedgerTotal.Of(plan.Ledger.Entries);
        if (asJson)
        {
            Screen.PrintJson(new
            {
                Source = plan.Source.Path,
                Out = target,
                DryRun = dryRun,
                Initialization = plan.Initialization.Name,
                plan.SourceParameters,
                Parameters = plan.TargetParameters,
                Bytes = plan.TargetBytes,
                Totals = totals,
                Ledger = verbose ? plan.Ledger.Entries : [],
            });
            return;
        }

        if (verbose)
        {
            Show(plan.Ledger);
        }

        var table = new ScreenTable("action", "#tensors", "#parameters", "how");
        foreach (var total in totals)
        {
            table.Row(total.Action.ToString().ToLowerInvariant(), $"{total.Tensors:N0}", $"{total.Parameters:N0}", total.Reason);
        }

        Screen.Print(table);
        Screen.Print($"{plan.SourceParameters:N0} parameters became {plan.TargetParameters:N0}, {Quantity.Bytes(plan.TargetBytes)}; initialization {plan.Initialization.Name}: {plan.Initialization.Summary}.");
        Screen.Print(dryRun ? $"Nothing was written; without --dry-run it would lie in {target}." : $"The model lies in {target}; its {ConversionRecord.FileName} has every tensor.");
    }

    private static void Show(Ledger ledger)
    {
        var table = new ScreenTable("action", "source", "target", "shape");
        foreach (var entry in ledger.Entries)
        {
            table.Row(entry.Action.ToString().ToLowerInvariant(), entry.Source ?? "", entry.Target ?? "", string.Join(" × ", entry.Shape));
        }

        Screen.Print(table);
    }
}
