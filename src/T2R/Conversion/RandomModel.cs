using T2R.Checkpoints;
using T2R.Mixers;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>Folders of models with random weights: for benchmarks and tests, where only the shape matters. Streamed, so that size is no matter.</summary>
public static class RandomModel
{
    private const string Stage = "make-random";

    /// <summary>Shapes known by name.</summary>
    public static IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["mistral-7b"] = Mistral(layers: 32, hidden: 4096, heads: 32, keyValueHeads: 8, intermediate: 14336, vocabulary: 32000, window: 4096),
        ["mistral-1b"] = Mistral(layers: 22, hidden: 2048, heads: 32, keyValueHeads: 4, intermediate: 5632, vocabulary: 32000, window: null),
        ["mistral-tiny"] = Mistral(layers: 2, hidden: 64, heads: 4, keyValueHeads: 2, intermediate: 128, vocabulary: 512, window: null),
    };

    /// <summary>The shape that a name or a config.json describes.</summary>
    /// <param name="configOrName">A name of <see cref="Presets"/>, or a config.json of any format T2R reads.</param>
    /// <exception cref="UserErrorException">It is neither, or the config has problems; all are listed.</exception>
    public static ModelConfig Shape(string configOrName)
    {
        if (Presets.TryGetValue(configOrName, out var preset))
        {
            return preset;
        }

        if (!File.Exists(configOrName))
        {
            throw new UserErrorException($"'{configOrName}' is neither a config.json nor one of the known shapes {string.Join(", ", Presets.Keys)}.");
        }

        var problems = new Problems();
        var json = ConfigJson.Open(configOrName, problems);
        var config = FolderFormats.Of(json)?.ReadConfig(json, problems);
        problems.ThrowIfAny();
        return config!;
    }

    /// <summary>Writes the folder; the weights are those of <see cref="WeightSet.Random"/> for the seed, rounded to the dtype.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="outFolder">The folder to make.</param>
    /// <param name="seed">Of the weights.</param>
    /// <param name="dtype">Of every tensor.</param>
    /// <param name="replace">Whether a model's folder that is there already is replaced.</param>
    /// <param name="progress">Told of the bytes written.</param>
    /// <param name="cancellation">Heeded between tensors; nothing is left then.</param>
    /// <exception cref="UserErrorException">The folder exists and must not, or cannot, be replaced.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public static void Write(
        ModelConfig config, string outFolder, long seed, ScalarType dtype, bool replace = false, IProgress<StageProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var writer = new FolderWriter(outFolder, replace, config, _ => dtype, companions: null, flush: false);
        foreach (var spec in WeightLayout.Of(config))
        {
            cancellation.ThrowIfCancellationRequested();
            var weight = new RandomWeight(config, spec, seed);
            writer.Fill(spec, (first, bytes) => weight.Fill(first, dtype, bytes));
            progress?.Report(new StageProgress(Stage, writer.WrittenBytes, writer.TotalBytes, "bytes"));
        }

        cancellation.ThrowIfCancellationRequested();
        writer.Commit();
    }

    private static ModelConfig Mistral(int layers, int hidden, int heads, int keyValueHeads, int intermediate, int vocabulary, int? window) => new()
    {
        VocabularySize = vocabulary,
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        NormEpsilon = 1e-5,
        TieWordEmbeddings = false,
        MaxPositionEmbeddings = 32768,
        Mixers = [.. Enumerable.Repeat<MixerConfig>(new SoftmaxAttentionConfig(heads, keyValueHeads, hidden / heads, 10000, window), layers)],
    };
}
