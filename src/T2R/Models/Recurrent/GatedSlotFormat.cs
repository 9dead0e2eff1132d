using System.Collections.Immutable;
using System.Text.Json.Nodes;
using T2R.Checkpoints;
using T2R.Mixers;
using T2R.Ops.Quantized;

namespace T2R.Models.Recurrent;

/// <summary>
/// Folders of <c>GSAForCausalLM</c> (flash-linear-attention): all layers gated slot attention, or a hybrid whose <c>attn</c> entry names the softmax layers. The
/// format has one head size, hidden_size / num_heads.
/// </summary>
public sealed class GatedSlotFormat : IFolderFormat
{
    private const string QuantizationMethod = "t2r";

    /// <inheritdoc />
    public string Name => "GSA";

    /// <inheritdoc />
    public IReadOnlyList<string> ModelTypes { get; } = ["gsa"];

    /// <inheritdoc />
    public WeightNames Names => GatedSlotNames.Table;

    /// <inheritdoc />
    public bool MayFuseGateAndUp => true;

    /// <inheritdoc />
    public bool Ignores(string name) => name.EndsWith(".rotary.inv_freq", StringComparison.Ordinal);

    /// <inheritdoc />
    public ModelConfig? ReadConfig(ConfigJson json, Problems problems)
    {
        json.Text("model_type");
        json.Only("feature_map", "\"swish\"");
        json.Only("use_short_conv", "false");
        json.Only("use_output_gate", "false");
        json.Only("use_norm", "true");
        json.Only("elementwise_affine", "true");
        json.Only("attnres_block_size", "null");
        json.Pass(
            "architectures", "clamp_min", "clamp_max", "conv_size", "fuse_norm", "fuse_swiglu", "fuse_cross_entropy", "fuse_linear_cross_entropy",
            "use_l2warp", "initializer_range", "use_cache", "pad_token_id", "torch_dtype", "dtype", "transformers_version", "_name_or_path", "hidden_act", "scale", "norm_first");
        RequireOne(json, "expand_k");
        RequireOne(json, "expand_v");

        // As older files of the peer spell them.
        RequireOne(json, "exapnd_k");
        RequireOne(json, "exapnd_v");

        int hidden = json.Count("hidden_size");
        int heads = json.Count("num_heads");
        int keyValueHeads = json.Count("num_kv_heads", Math.Max(heads, 1));
        int headDim = heads > 0 && hidden % heads == 0 ? hidden / heads : 0;
        if (headDim == 0 && heads > 0)
        {
            json.Refuse("hidden_size", $"is {hidden}, expected a multiple of num_heads ({heads}).");
        }
        else if (keyValueHeads > 0 && heads % keyValueHeads != 0)
        {
            json.Refuse("num_heads", $"is {heads}, expected a multiple of num_kv_heads ({keyValueHeads}).");
        }

        // null means as many as a head is wide.
        int slotCount = json.Count("num_slots", json.Mentions("num_slots") ? Math.Max(headDim, 1) : 64);
        var slots = new GatedSlotAttentionConfig(heads, keyValueHeads, headDim, slotCount, json.Number("gate_logit_normalizer", 8));
        int layers = json.Count("num_hidden_layers");
        var config = new ModelConfig
        {
            VocabularySize = json.Count("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = json.Count("intermediate_size", DefaultIntermediateSize(hidden, json.Count("hidden_ratio", 4))),
            NormEpsilon = json.Number("norm_eps", 1e-6),
            TieWordEmbeddings = json.Flag("tie_word_embeddings", false),
            MaxPositionEmbeddings = json.Count("max_position_embeddings", 2048),
            BosTokenId = json.Id("bos_token_id", 1),
            EosTokenIds = json.Ids("eos_token_id", 2),
            Mixers = Mixers(json, Math.Max(layers, 0), hidden, slots),
            Quantization = Quantization(json),
        };
        if (!problems.Any && config.Quantization is not null && QuantizedModel.WhyNot(config) is { } reason)
        {
            json.Refuse("quantization_config", $"cannot be: {reason}.");
        }

        return problems.Any ? null : config;
    }

    /// <summary>The config.json of a model that this format can express.</summary>
    /// <param name="config">The model; <see cref="WhyNot"/> must have found nothing.</param>
    /// <param name="dtype">Name of the stored matrices' dtype, such as <c>bfloat16</c>.</param>
    public static JsonObject WriteConfig(ModelConfig config, string dtype)
    {
        var slots = config.Mixers.OfType<GatedSlotAttentionConfig>().First();
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray("GSAForCausalLM"),
            ["model_type"] = "gsa",
            ["hidden_size"] = config.HiddenSize,
            ["num_hidden_layers"] = config.Layers,
            ["num_heads"] = slots.Heads,
            ["num_kv_heads"] = slots.KeyValueHeads,
            ["num_slots"] = slots.Slots,
            ["intermediate_size"] = config.IntermediateSize,
            ["expand_k"] = 1,
            ["expand_v"] = 1,
            ["feature_map"] = "swish",
            ["gate_logit_normalizer"] = slots.GateLogitNormalizer,
            ["use_short_conv"] = false,
            ["use_output_gate"] = false,
            ["use_norm"] = true,
            ["elementwise_affine"] = true,
            ["norm_eps"] = config.NormEpsilon,
            ["max_position_embeddings"] = config.MaxPositionEmbeddings,
            ["vocab_size"] = config.VocabularySize,
            ["bos_token_id"] = config.BosTokenId,
            ["eos_token_id"] = BoundaryIds.Json(config.EosTokenIds),
            ["pad_token_id"] = null,
            ["tie_word_embeddings"] = config.TieWordEmbeddings,
            ["hidden_act"] = "swish",
            ["attn"] = null,
            ["torch_dtype"] = dtype,
        };
        if (config.Quantization is { } quantization)
        {
            json["quantization_config"] = new JsonObject { ["quant_method"] = QuantizationMethod, ["bits"] = quantization.Bits, ["group_size"] = QuantizedFormat.GroupLength };
        }

        int[] kept = [.. SoftmaxLayers(config)];
        if (kept.Length > 0)
        {
            var softmax = (SoftmaxAttentionConfig)config.Mixers[kept[0]];
            json["attn"] = new JsonObject
            {
                ["layers"] = new JsonArray([.. kept.Select(i => (JsonNode)i)]),
                ["num_heads"] = softmax.Heads,
                ["num_kv_heads"] = softmax.KeyValueHeads,
                ["qkv_bias"] = false,
                ["window_size"] = softmax.SlidingWindow,
                ["rope_theta"] = softmax.RopeTheta,
            };
            if (RopeSettings.Write(softmax.RopeScaling) is { } scaling)
            {
                json["attn"]!["rope_scaling"] = scaling;
            }
        }

        return json;
    }

    /// <summary>Why a model cannot be written in this format; null when it can.</summary>
    public static string? WhyNot(ModelConfig config)
    {
        if (config.Mixers.FirstOrDefault(m => m.QuerySize != config.HiddenSize) is { } odd)
        {
            return $"a head of {odd.HeadDim} with {odd.Heads} heads and a hidden size of {config.HiddenSize}: the recurrent format's head size is always hidden_size / num_heads, {config.HiddenSize / odd.Heads}";
        }

        return config.Mixers.OfType<GatedSlotAttentionConfig>().Any() ? null : "every layer keeps softmax attention: nothing is recurrent";
    }

    /// <summary>What T2R writes that flash-linear-attention does not read, so that the model would be another one there; null for nothing.</summary>
    public static string? OnlyHere(ModelConfig config) => config.Mixers.OfType<SoftmaxAttentionConfig>().Any(m => m.RopeScaling is not null)
        ? "the rotary positions of the softmax layers are scaled (attn.rope_scaling), which T2R reads and flash-linear-attention does not: there these layers would compute something else"
        : null;

    /// <summary>Which layers keep softmax attention.</summary>
    public static IEnumerable<int> SoftmaxLayers(ModelConfig config) => Enumerable.Range(0, config.Layers).Where(i => config.Mixers[i] is SoftmaxAttentionConfig);

    // Of T2R's own files: no other program reads them, nor T2R another's.
    private static QuantizedFormat? Quantization(ConfigJson json)
    {
        if (json.Nested("quantization_config") is not { } quantization)
        {
            return null;
        }

        string method = quantization.Text("quant_method");
        if (method != QuantizationMethod)
        {
            quantization.Refuse("quant_method", $"is \"{method}\", which T2R does not support; it reads its own files, \"{QuantizationMethod}\", and makes them of plain weights: t2r quantize.");
            return null;
        }

        int bits = quantization.Count("bits"), group = quantization.Count("group_size");
        if (group != QuantizedFormat.GroupLength)
        {
            quantization.Refuse("group_size", $"is {group}, expected {QuantizedFormat.GroupLength}.");
        }

        var format = QuantizedFormat.All.FirstOrDefault(f => f.Bits == bits);
        if (format is null)
        {
            quantization.Refuse("bits", $"is {bits}, expected {string.Join(" or ", QuantizedFormat.All.Select(f => f.Bits))}.");
        }

        return format;
    }

    private static ImmutableArray<MixerConfig> Mixers(ConfigJson json, int layers, int hidden, GatedSlotAttentionConfig slots)
    {
        var mixers = Enumerable.Repeat<MixerConfig>(slots, layers).ToArray();
        if (json.Nested("attn") is not { } attn)
        {
            return [.. mixers];
        }

        attn.Only("qkv_bias", "false");
        attn.Only("qk_norm", "false");
        int heads = attn.Count("num_heads");
        int keyValueHeads = attn.Count("num_kv_heads", Math.Max(heads, 1));
        if (heads > 0 && hidden % (2 * heads) != 0)
        {
            attn.Refuse("num_heads", $"is {heads}; expected hidden_size ({hidden}) to be an even multiple of it, as rotary positions turn pairs.");
        }
        else if (keyValueHeads > 0 && heads % keyValueHeads != 0)
        {
            attn.Refuse("num_heads", $"is {heads}, expected a multiple of num_kv_heads ({keyValueHeads}).");
        }

        if (!attn.Has("layers"))
        {
            attn.Refuse("layers", "is missing; expected the numbers of the softmax layers.");
        }

        var (theta, scaling) = RopeSettings.Read(attn);
        var softmax = new SoftmaxAttentionConfig(
            heads, keyValueHeads, heads > 0 ? hidden / heads : 0, theta, attn.Has("window_size") ? attn.Count("window_size") : null, scaling);
        foreach (int layer in attn.Indices("layers"))
        {
            if (layer >= layers)
            {
                attn.Refuse("layers", $"names layer {layer}, and the last is {layers - 1}.");
                continue;
            }

            mixers[layer] = softmax;
        }

        return [.. mixers];
    }

    // The peer's rule when intermediate_size is not given: 2/3 of hidden · ratio, up to a multiple of 256.
    private static int DefaultIntermediateSize(int hidden, int ratio) => Math.Max(256, (int)Math.Ceiling((int)((long)hidden * ratio * 2 / 3) / 256.0) * 256);

    private static void RequireOne(ConfigJson json, string key)
    {
        if (json.Number(key, 1) is not 1.0)
        {
            json.Refuse(key, "is not 1, which T2R does not support: keys and values are as wide as the queries.");
        }
    }
}
