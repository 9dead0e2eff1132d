using System.CommandLine;
using T2R.Generation.Decoding;
using T2R.Mixers;
using T2R.Models;
using T2R.Ops.Quantized;
using T2R.Tokenization;
using static TorchSharp.torch;

namespace T2R.Cli;

/// <summary>Which model a verb runs, on which device and in which numbers: the same options wherever a model runs.</summary>
internal sealed class ModelOptions
{
    private readonly Argument<string> _folder = new("FOLDER") { Description = "A model's folder: config.json and weights, softmax or recurrent." };
    private readonly Option<string> _device = new("--device") { Description = "cpu, cuda or cuda:N.", DefaultValueFactory = _ => "cpu", HelpName = "DEVICE" };
    private readonly Option<string> _dtype = new("--dtype") { Description = $"What weights and products are computed in: {string.Join(", ", DtypeName.ShortNames)}. On a card a recurrent model asked for in bf16 is held in fp16, where T2R has kernels for its shape: as fast, and finer.", DefaultValueFactory = _ => "fp32", HelpName = "DTYPE" };

    private readonly Option<string?> _quantize = new("--quantize")
    {
        Description = $"Hold the blocks' matrices in {string.Join(" or ", QuantizedFormat.All)}, rounded now; embedding and head stay in --dtype. Recurrent models alone.", HelpName = "FORMAT",
    };

    /// <summary>Adds the argument and the options to a verb.</summary>
    public void AddTo(Command verb)
    {
        verb.Arguments.Add(_folder);
        verb.Options.Add(_device);
        verb.Options.Add(_dtype);
        verb.Options.Add(_quantize);
    }

    /// <summary>The folder, as the user wrote it.</summary>
    public string Folder(ParseResult parsed) => parsed.GetRequiredValue(_folder);

    /// <summary>Opens the folder and checks it; warnings are shown, what is wrong goes to <paramref name="problems"/>.</summary>
    public ModelFolder? Open(ParseResult parsed, Problems problems)
    {
        ModelFolder? folder = problems.Try(() => ModelFolder.Open(Folder(parsed)));
        foreach (string warning in folder?.Warnings ?? [])
        {
            Screen.Warn(warning);
        }

        return folder;
    }

    /// <summary>The ids that begin and end the model's texts; warnings are shown, what is wrong goes to <paramref name="problems"/>.</summary>
    public static BoundaryIds? Boundaries(ModelFolder folder, TextTokenizer? tokenizer, Problems problems)
    {
        BoundaryIds? boundaries = problems.Try(() => folder.Boundaries(tokenizer));
        foreach (string warning in boundaries?.Warnings ?? [])
        {
            Screen.Warn(warning);
        }

        return boundaries;
    }

    /// <summary>Loads the weights and closes the folder; says what will run without kernels.</summary>
    public static CausalLM Load(ModelFolder folder, Device device, ScalarType dtype, QuantizedFormat? quantization = null)
    {
        var held = Decoders.LoadIn(folder.Config, device, dtype);
        foreach (string sentence in MissingKernels.On(folder.Config, held, device))
        {
            Screen.Warn(sentence);
        }

        using (folder)
        {
            return folder.Load(device, held, quantization);
        }
    }

    /// <summary>Says that a text may be longer than what the model's softmax layers were made for.</summary>
    public static void WarnBeyondTraining(ModelConfig config, long length)
    {
        if (length > config.MaxPositionEmbeddings && config.Mixers.Any(m => m is SoftmaxAttentionConfig { SlidingWindow: null }))
        {
            Screen.Warn($"the model was made for {config.MaxPositionEmbeddings} positions and its softmax layers may not make sense beyond; the text can have {length}.");
        }
    }

    /// <summary>Where to run; null with a problem.</summary>
    public Device? Device(ParseResult parsed, Problems problems) => problems.Try("--device", () => DeviceName.Parse(parsed.GetRequiredValue(_device)));

    /// <summary>The numbers to compute with; null with a problem.</summary>
    public ScalarType? Dtype(ParseResult parsed, Problems problems)
    {
        ScalarType? dtype = null;
        problems.Try<object>(() => dtype = DtypeName.Parse(parsed.GetRequiredValue(_dtype)));
        return dtype;
    }

    /// <summary>What the blocks' matrices are to be held in; null for what the folder holds, or with a problem.</summary>
    public QuantizedFormat? Quantization(ParseResult parsed, Problems problems) =>
        parsed.GetValue(_quantize) is { } name ? problems.Try(() => QuantizedFormat.Parse(name)) : null;
}
