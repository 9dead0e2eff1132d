using System.CommandLine;
using System.Globalization;
using TorchSharp;
using T2R.Mixers;
using T2R.Models;
using T2R.Tokenization;
using static TorchSharp.torch;

namespace T2R.Cli;

/// <summary>Which model a verb runs, on which device and in which numbers: the same options wherever a model runs.</summary>
internal sealed class ModelOptions
{
    private readonly Argument<string> _folder = new("FOLDER") { Description = "A model's folder: config.json and weights, softmax or recurrent." };
    private readonly Option<string> _device = new("--device") { Description = "cpu, cuda or cuda:N.", DefaultValueFactory = _ => "cpu", HelpName = "DEVICE" };
    private readonly Option<string> _dtype = new("--dtype") { Description = $"What weights and products are computed in: {string.Join(", ", DtypeName.ShortNames)}.", DefaultValueFactory = _ => "fp32", HelpName = "DTYPE" };

    /// <summary>Adds the argument and the options to a verb.</summary>
    public void AddTo(Command verb)
    {
        verb.Arguments.Add(_folder);
        verb.Options.Add(_device);
        verb.Options.Add(_dtype);
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

    /// <summary>Loads the weights and closes the folder, whose mapped files would go on counting as this process's memory; says what will run without kernels.</summary>
    public static CausalLM Load(ModelFolder folder, Device device, ScalarType dtype)
    {
        foreach (string sentence in MissingKernels.On(folder.Config, dtype, device))
        {
            Screen.Warn(sentence);
        }

        using (folder)
        {
            return folder.Load(device, dtype);
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

    /// <summary>Opens the tokenizer beside the model.</summary>
    /// <exception cref="UserErrorException">There is none, or it has ids that the model does not have.</exception>
    public static SentencePieceTokenizer OpenTokenizer(ModelFolder folder)
    {
        SentencePieceTokenizer tokenizer = TokenizerFolder.Open(folder.Path);
        return tokenizer.VocabularySize <= folder.Config.VocabularySize
            ? tokenizer
            : throw new UserErrorException(
                $"{folder.Path}: the tokenizer has {tokenizer.VocabularySize} pieces and the model {folder.Config.VocabularySize} (vocab_size in config.json); they do not belong together.");
    }

    /// <summary>Where to run; null with a problem.</summary>
    public Device? Device(ParseResult parsed, Problems problems)
    {
        string given = parsed.GetRequiredValue(_device);
        string[] parts = given.Split(':');
        int index = 0;
        bool isDevice = parts is ["cpu"] or ["cuda"] || (parts is ["cuda", var number] && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out index));
        if (!isDevice)
        {
            problems.Add($"--device is '{given}'; expected cpu, cuda or cuda:N.");
            return null;
        }

        if (parts[0] == "cpu")
        {
            return CPU;
        }

        int cards = cuda.is_available() ? cuda.device_count() : 0;
        if (index >= cards)
        {
            problems.Add(cards == 0
                ? $"--device is '{given}', and libtorch can use no CUDA device here; `t2r doctor` says why."
                : $"--device is '{given}', and there are {cards} CUDA devices, cuda:0 to cuda:{cards - 1}.");
            return null;
        }

        return new Device(DeviceType.CUDA, index);
    }

    /// <summary>The numbers to compute with; null with a problem.</summary>
    public ScalarType? Dtype(ParseResult parsed, Problems problems)
    {
        ScalarType? dtype = null;
        problems.Try<object>(() => dtype = DtypeName.Parse(parsed.GetRequiredValue(_dtype)));
        return dtype;
    }
}
