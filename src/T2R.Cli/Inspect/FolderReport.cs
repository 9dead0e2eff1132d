using T2R.Checkpoints;
using T2R.Conversion;
using T2R.Mixers;
using T2R.Models;
using T2R.Tokenization;

namespace T2R.Cli.Inspect;

/// <summary>What a model's folder holds, from its headers and samples of its weights.</summary>
internal sealed record FolderReport
{
    private static readonly int[] StateLengths = [1_000, 16_000];

    public required string Path { get; init; }

    public required string Format { get; init; }

    public required string Architecture { get; init; }

    public required int Layers { get; init; }

    public required string LayerKinds { get; init; }

    public required int HiddenSize { get; init; }

    public required int Heads { get; init; }

    public required int KeyValueHeads { get; init; }

    public required int HeadDim { get; init; }

    public required int VocabularySize { get; init; }

    public required bool TiedHead { get; init; }

    public required IReadOnlyDictionary<string, long> Parameters { get; init; }

    public required IReadOnlyList<string> Dtypes { get; init; }

    public required long WeightBytes { get; init; }

    public required IReadOnlyList<string> WeightFiles { get; init; }

    public required string Tokenizer { get; init; }

    public required string Fingerprint { get; init; }

    public required int MaxPositionEmbeddings { get; init; }

    public required int? Window { get; init; }

    public required string? Rotary { get; init; }

    public required GenerationSettings Generation { get; init; }

    public required string Use { get; init; }

    public required IReadOnlyDictionary<int, long> StateBytes { get; init; }

    public required string Convert { get; init; }

    public static FolderReport Of(ModelFolder folder)
    {
        var config = folder.Config;
        var mixer = config.Mixers[0];
        var tokenizer = TokenizerOf(folder);
        int cacheElement = DtypeName.Bytes(folder.Dtype);
        return new FolderReport
        {
            Path = folder.Path,
            Format = folder.Format.Name,
            Architecture = ConfigJson.Open(System.IO.Path.Combine(folder.Path, "config.json"), new Problems()).Texts("architectures") is [var first, ..] ? first : "not named",
            Layers = config.Layers,
            LayerKinds = Kinds(config),
            HiddenSize = config.HiddenSize,
            Heads = mixer.Heads,
            KeyValueHeads = mixer.KeyValueHeads,
            HeadDim = mixer.HeadDim,
            VocabularySize = config.VocabularySize,
            TiedHead = config.TieWordEmbeddings,
            Parameters = WeightLayout.Of(config).GroupBy(Part).ToDictionary(g => g.Key, g => g.Sum(s => s.Count)),
            Dtypes = [.. folder.Tensors.Values.Select(t => t.Dtype).Distinct().Select(d => d == config.Quantization?.CodeDtype ? config.Quantization.Name : DtypeName.Of(d))],
            WeightBytes = folder.TotalBytes,
            WeightFiles = [.. folder.WeightFiles.Select(f => System.IO.Path.GetFileName(f))],
            Tokenizer = tokenizer.Description,
            Fingerprint = folder.Fingerprint(),
            MaxPositionEmbeddings = config.MaxPositionEmbeddings,
            Window = Softmax(config)?.SlidingWindow,
            Rotary = Softmax(config) is { } softmax ? RotaryOf(softmax) : null,
            Generation = GenerationSettings.Of(folder.Path, tokenizer.Boundaries),
            Use = WhatItIsFor(folder, tokenizer.Opened is not null),
            StateBytes = StateLengths.ToDictionary(tokens => tokens, tokens => StateSize.Bytes(config, tokens, cacheElement)),
            Convert = WhatConvertDoes(folder),
        };
    }

    private static string Kinds(ModelConfig config)
    {
        var slots = config.Mixers.OfType<GatedSlotAttentionConfig>().FirstOrDefault();
        int[] softmax = [.. Enumerable.Range(0, config.Layers).Where(i => config.Mixers[i] is SoftmaxAttentionConfig)];
        return slots is null ? "softmax attention"
            : softmax.Length == 0 ? $"gated slot attention, {slots.Slots} slots"
            : $"gated slot attention, {slots.Slots} slots; softmax attention in {string.Join(", ", softmax)}";
    }

    private static SoftmaxAttentionConfig? Softmax(ModelConfig config) => config.Mixers.OfType<SoftmaxAttentionConfig>().FirstOrDefault();

    private static string RotaryOf(SoftmaxAttentionConfig softmax) => softmax.RopeScaling switch
    {
        LinearRopeScaling linear => $"theta {softmax.RopeTheta:N0}, scaled linearly by {linear.Factor}",
        Llama3RopeScaling llama => $"theta {softmax.RopeTheta:N0}, scaled as in Llama 3.1 by {llama.Factor} from {llama.OriginalPositions:N0} positions",
        _ => $"theta {softmax.RopeTheta:N0}",
    };

    private static string Part(WeightSpec spec) => spec.Name switch
    {
        WeightLayout.Embedding => "embedding",
        WeightLayout.Head => "head",
        _ when spec.IsNorm => "norms",
        _ when spec.Name.Contains(".mixer.", StringComparison.Ordinal) => "attention",
        _ => "mlp",
    };

    private static (string Description, TextTokenizer? Opened, BoundaryIds Boundaries) TokenizerOf(ModelFolder folder)
    {
        try
        {
            TextTokenizer tokenizer = folder.OpenTokenizer();
            BoundaryIds boundaries = folder.Boundaries(tokenizer);
            int pieces = tokenizer.VocabularySize, padding = folder.Config.VocabularySize - pieces;
            return ($"{TokenizerFolder.Describe(folder.Path, tokenizer)}, {pieces:N0} pieces{(padding > 0 ? $"; the {padding:N0} ids beyond are never generated" : "")}", tokenizer, boundaries);
        }
        catch (UserErrorException e)
        {
            return ($"none that T2R reads: {e.Message}", null, folder.Boundaries(tokenizer: null));
        }
    }

    private static string WhatItIsFor(ModelFolder folder, bool hasTokenizer)
    {
        string[] withText = ["generate", "serve", "eval", "train"];
        if (folder.Config.Quantization is not null)
        {
            withText = withText[..^1];
        }

        bool recurrent = folder.Config.Mixers.Any(m => m is GatedSlotAttentionConfig);
        string[] without = !recurrent ? ["convert", "logits"]
            : folder.Config.Quantization is null && QuantizedModel.WhyNot(folder.Config) is null ? ["quantize", "logits"] : ["logits"];
        return hasTokenizer ? string.Join(", ", withText.Concat(without)) : $"{string.Join(", ", without)}; {string.Join(", ", withText)} need a tokenizer";
    }

    private static string WhatConvertDoes(ModelFolder folder)
    {
        try
        {
            var plan = Converter.Plan(folder, new ConversionOptions());
            var totals = plan.Ledger.Entries.CountBy(e => e.Action).ToDictionary();
            return $"{plan.TargetParameters:N0} parameters: {string.Join(", ", totals.OrderBy(t => t.Key).Select(t => $"{t.Value} {t.Key.ToString().ToLowerInvariant()}"))}; "
                + $"state {Quantity.Bytes(StateSize.Bytes(plan.Target, StateLengths[0], DtypeName.Bytes(folder.Dtype)))} at any length";
        }
        catch (UserErrorException e)
        {
            return $"refuses it: {e.Message}";
        }
    }
}
