using System.Text.Json.Nodes;
using T2R.Checkpoints;
using T2R.Mixers;

namespace T2R.Models.Mistral;

/// <summary>Hugging Face folders of Mistral and Llama: defaults of absent keys are those of transformers' MistralConfig and LlamaConfig.</summary>
public sealed class MistralFormat : IFolderFormat
{
    private const string Mistral = "MistralForCausalLM", Llama = "LlamaForCausalLM";

    /// <inheritdoc />
    public string Name => "Mistral/Llama";

    /// <inheritdoc />
    public IReadOnlyList<string> ModelTypes { get; } = ["mistral", "llama"];

    /// <inheritdoc />
    public WeightNames Names => MistralNames.Table;

    /// <inheritdoc />
    public bool MayFuseGateAndUp => false;

    /// <inheritdoc />
    public bool Ignores(string name) => name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal);

    /// <inheritdoc />
    public ModelConfig? ReadConfig(ConfigJson json, Problems problems)
    {
        bool isMistral = json.Text("model_type") == "mistral";
        json.Only("hidden_act", "\"silu\"");
        json.Only("attention_bias", "false");
        json.Only("mlp_bias", "false");
        json.Only("rope_interleaved", "false");
        json.Only("quantization_config", "null");
        if (json.Number("partial_rotary_factor", 1) != 1)
        {
            json.Refuse("partial_rotary_factor", "is not 1, which T2R does not support: all of a head is turned.");
        }

        json.Pass(
            "architectures", "attention_dropout", "initializer_range", "use_cache", "pad_token_id", "torch_dtype", "dtype", "transformers_version", "_name_or_path",
            "pretraining_tp", "unk_token_id", "return_dict", "is_decoder", "tokenizer_class", "auto_map", "id2label", "label2id", "is_llama_config",
            "transformers.js_config");

        int heads = json.Count("num_attention_heads");
        int hidden = json.Count("hidden_size");
        bool isAbsent = !json.Mentions("num_key_value_heads");
        int keyValueHeads = json.Count("num_key_value_heads", isMistral && isAbsent ? 8 : Math.Max(heads, 1));
        int headDim = json.Count("head_dim", heads > 0 && hidden > 0 ? Math.Max(1, hidden / heads) : 1);
        int? window = isMistral && (json.Has("sliding_window") || !json.Mentions("sliding_window")) ? json.Count("sliding_window", 4096) : null;
        json.Pass("sliding_window");
        RefuseMixedWindows(json);

        if (heads > 0 && !json.Has("head_dim") && hidden % heads != 0)
        {
            json.Refuse("hidden_size", $"is {hidden}, not a multiple of num_attention_heads ({heads}), and there is no head_dim.");
        }

        if (heads > 0 && keyValueHeads > 0 && heads % keyValueHeads != 0)
        {
            json.Refuse("num_attention_heads", $"is {heads}, expected a multiple of num_key_value_heads ({keyValueHeads}).");
        }

        if (headDim % 2 != 0)
        {
            json.Refuse("head_dim", $"is {headDim}; rotary positions need an even one.");
        }

        var (theta, scaling) = RopeSettings.Read(json);
        var mixer = new SoftmaxAttentionConfig(heads, keyValueHeads, headDim, theta, window, scaling);
        int layers = json.Count("num_hidden_layers");
        var config = new ModelConfig
        {
            VocabularySize = json.Count("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = json.Count("intermediate_size"),
            NormEpsilon = json.Number("rms_norm_eps", 1e-6),
            TieWordEmbeddings = json.Flag("tie_word_embeddings", false),
            MaxPositionEmbeddings = json.Count("max_position_embeddings", isMistral ? 4096 * 32 : 2048),
            BosTokenId = json.Id("bos_token_id", 1),
            EosTokenIds = json.Ids("eos_token_id", 2),
            Mixers = [.. Enumerable.Repeat<MixerConfig>(mixer, Math.Max(layers, 0))],
        };
        return problems.Any ? null : config;
    }

    /// <summary>What transformers calls a transformer that is written: older releases heed scaled frequencies in Llama models alone, and those have no window.</summary>
    /// <param name="config">The model.</param>
    public static string Architecture(ModelConfig config) => config.Mixers[0] is SoftmaxAttentionConfig { RopeScaling: not null, SlidingWindow: null } ? Llama : Mistral;

    /// <summary>The config.json of a transformer.</summary>
    /// <param name="config">The model; every layer softmax attention of one shape.</param>
    /// <param name="dtype">Name of the stored dtype, such as <c>bfloat16</c>.</param>
    /// <exception cref="ArgumentException">A layer is of another kind or shape than the first.</exception>
    public static JsonObject WriteConfig(ModelConfig config, string dtype)
    {
        if (config.Mixers[0] is not SoftmaxAttentionConfig softmax || config.Mixers.Any(m => m != softmax))
        {
            throw new ArgumentException("not every layer is softmax attention of one shape", nameof(config));
        }

        return new JsonObject
        {
            ["architectures"] = new JsonArray(Architecture(config)),
            ["model_type"] = Architecture(config) == Llama ? "llama" : "mistral",
            ["hidden_size"] = config.HiddenSize,
            ["num_hidden_layers"] = config.Layers,
            ["num_attention_heads"] = softmax.Heads,
            ["num_key_value_heads"] = softmax.KeyValueHeads,
            ["head_dim"] = softmax.HeadDim,
            ["intermediate_size"] = config.IntermediateSize,
            ["hidden_act"] = "silu",
            ["rms_norm_eps"] = config.NormEpsilon,
            ["rope_theta"] = softmax.RopeTheta,
            ["rope_scaling"] = RopeSettings.Write(softmax.RopeScaling),
            ["sliding_window"] = softmax.SlidingWindow,
            ["max_position_embeddings"] = config.MaxPositionEmbeddings,
            ["vocab_size"] = config.VocabularySize,
            ["bos_token_id"] = config.BosTokenId,
            ["eos_token_id"] = BoundaryIds.Json(config.EosTokenIds),
            ["tie_word_embeddings"] = config.TieWordEmbeddings,
            ["attention_dropout"] = 0.0,
            ["torch_dtype"] = dtype,
        };
    }

    private static void RefuseMixedWindows(ConfigJson json)
    {
        if (json.Texts("layer_types").Distinct().ToArray() is { Length: > 1 } kinds)
        {
            json.Refuse("layer_types", $"mixes {string.Join(" and ", kinds)}; T2R supports one kind for all layers.");
        }
    }
}
