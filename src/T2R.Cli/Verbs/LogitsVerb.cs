using System.CommandLine;
using T2R.Checkpoints;
using T2R.Generation;
using T2R.Models;
using T2R.Ops.GatedSlot;
using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Cli.Verbs;

internal static class LogitsVerb
{
    private const string IdsName = "ids";
    private const string LogitsName = "logits";

    public static Command Create()
    {
        var model = new ModelOptions();
        var ids = new Option<string>("--ids") { Description = "A SafeTensors file with whole numbers `ids` [B, T].", Required = true, HelpName = "FILE" };
        var output = new Option<string>("--out") { Description = "Where to write a SafeTensors file with float32 `logits` [B, T, V].", Required = true, HelpName = "FILE" };
        var form = new Option<GatedSlotForm>("--form")
        {
            Description = "chunk: all tokens at once. recurrent: one after another with a state, as in decoding. reference: the plain recurrence.",
            DefaultValueFactory = _ => GatedSlotForm.Chunk,
            HelpName = "chunk|recurrent|reference",
        };
        var verb = new Verb("logits", "Computes a model's logits for given ids, to compare with another implementation. Needs no tokenizer.")
        {
            Examples =
            [
                "t2r logits out/gsa --ids ids.safetensors --out logits.safetensors",
                "t2r logits out/gsa --ids ids.safetensors --out logits.safetensors --form recurrent",
            ],
        };
        model.AddTo(verb);
        verb.Options.Add(ids);
        verb.Options.Add(output);
        verb.Options.Add(form);
        verb.Does((parsed, stop) =>
        {
            var problems = new Problems();
            Device? device = model.Device(parsed, problems);
            ScalarType? dtype = model.Dtype(parsed, problems);
            QuantizedFormat? quantization = model.Quantization(parsed, problems);
            using ModelFolder? folder = model.Open(parsed, problems);
            using Tensor? ids_BT = problems.Try(() => ReadIds(parsed.GetRequiredValue(ids), folder?.Config.VocabularySize));
            problems.ThrowIfAny();
            using CausalLM loaded = ModelOptions.Load(folder!, device!, dtype!.Value, quantization);
            using var progress = new ProgressReporter();
            Write(parsed.GetRequiredValue(output), () => AllLogits.Of(loaded, ids_BT!, parsed.GetValue(form), progress, stop));
        });
        return verb;
    }

    private static Tensor ReadIds(string path, int? vocabulary)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        Tensor ids = file.Read(IdsName);
        string shape = $"[{string.Join(", ", ids.shape)}]";
        var problems = new Problems();
        if (!is_integral(ids.dtype) || ids.dtype == ScalarType.Bool)
        {
            problems.Add($"{path}: tensor '{IdsName}' holds {ids.dtype}; expected whole numbers, such as I64.");
        }

        if (ids.dim() != 2)
        {
            problems.Add($"{path}: tensor '{IdsName}' has shape {shape}; expected [B, T], one text a row.");
        }
        else if (ids.numel() == 0)
        {
            problems.Add($"{path}: tensor '{IdsName}' has shape {shape}; expected at least one text of at least one id.");
        }

        problems.ThrowIfAny();
        Tensor ids_BT = ids.to(ScalarType.Int64, copy: true);
        (long least, long most) = (ids_BT.min().item<long>(), ids_BT.max().item<long>());
        if (least < 0 || most >= (vocabulary ?? long.MaxValue))
        {
            throw new UserErrorException($"{path}: tensor '{IdsName}' holds the id {(least < 0 ? least : most)}; expected 0 to {vocabulary - 1}, as the model's vocab_size is {vocabulary}.");
        }

        return ids_BT.DetachFromDisposeScope();
    }

    // Computed inside, so that a target that cannot be written shows before the work.
    private static void Write(string path, Func<Tensor> compute) => AtomicFile.Write(path, stream =>
    {
        using Tensor logits_BTV = compute();
        var writer = new SafeTensorsWriter(stream, [new TensorSpec(LogitsName, ScalarType.Float32, [.. logits_BTV.shape])]);
        writer.Write(LogitsName, logits_BTV);
        writer.Finish();
    });
}
