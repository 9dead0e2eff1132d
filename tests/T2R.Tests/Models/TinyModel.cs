using System.Text.Json.Nodes;
using T2R.Checkpoints;
using T2R.Mixers;
using static TorchSharp.torch;

namespace T2R.Tests.Models;

/// <summary>A small model of random weights made on the spot: in plain numbers for the reference, and as a folder for the library.</summary>
internal sealed class TinyModel
{
    private readonly ScalarType _dtype;
    private readonly Random _random;

    public TinyModel(TinyShape shape, ScalarType dtype = ScalarType.Float32, int seed = 1)
    {
        (Shape, _dtype, _random) = (shape, dtype, new Random(seed));
        Config = shape.IsMistral ? MistralConfig(shape) : GatedSlotConfig(shape);
        bool mistral = shape.IsMistral;
        Add(mistral ? "model.embed_tokens.weight" : "model.embeddings.weight", shape.Vocabulary, shape.Hidden);
        for (int i = 0; i < shape.Layers; i++)
        {
            AddLayer($"model.layers.{i}.", i);
        }

        Add("model.norm.weight", shape.Hidden);
        if (!shape.Tied)
        {
            Add("lm_head.weight", shape.Vocabulary, shape.Hidden);
        }
    }

    public TinyShape Shape { get; }

    /// <summary>config.json.</summary>
    public JsonObject Config { get; }

    /// <summary>Every stored tensor by its name in the file, its numbers already rounded to the file's dtype.</summary>
    public Dictionary<string, TinyTensor> Weights { get; } = [];

    /// <summary>Writes the folder.</summary>
    public void Save(string folder, long maxShardBytes = long.MaxValue)
    {
        using var scope = NewDisposeScope();
        using var staged = new StagedFolder(folder, replace: true);
        using var writer = new CheckpointWriter(staged, [.. Weights.Select(w => new TensorSpec(w.Key, _dtype, [.. w.Value.Shape]))], maxShardBytes);
        foreach (var (name, weight) in Weights)
        {
            writer.Write(name, tensor(weight.Values, weight.Shape).to(_dtype));
        }

        writer.Finish();
        File.WriteAllText(Path.Combine(staged.Path, "config.json"), Config.ToJsonString());
        staged.Commit();
    }

    /// <summary>Adds or replaces a random tensor: a norm around 1, a matrix that keeps the size of what it maps.</summary>
    public void Add(string name, params long[] shape)
    {
        double deviation = shape.Length == 1 ? 0.1 : 1 / Math.Sqrt(shape[1]);
        double mean = shape.Length == 1 ? 1 : 0;
        var values = new double[shape.Aggregate(1L, (a, b) => a * b)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = mean + (deviation * Normal());
        }

        using var scope = NewDisposeScope();
        Weights[name] = new TinyTensor(shape, [.. tensor(values).to(_dtype).to(ScalarType.Float64).data<double>()]);
    }

    private void AddLayer(string layer, int i)
    {
        bool mistral = Shape.IsMistral;
        string attention = layer + (mistral ? "self_attn." : "attn.");
        int query = Shape.Heads * Shape.HeadDim, keyValue = Shape.KeyValueHeads * Shape.HeadDim;
        Add(layer + (mistral ? "input_layernorm.weight" : "attn_norm.weight"), Shape.Hidden);
        Add(attention + "q_proj.weight", query, Shape.Hidden);
        Add(attention + "k_proj.weight", keyValue, Shape.Hidden);
        Add(attention + "v_proj.weight", keyValue, Shape.Hidden);
        Add(attention + "o_proj.weight", Shape.Hidden, query);
        if (!Shape.IsSoftmax(i))
        {
            Add(attention + "f_proj.weight", Shape.KeyValueHeads * Shape.Slots, Shape.Hidden);
            Add(attention + "g_norm.weight", query);
        }

        Add(layer + (mistral ? "post_attention_layernorm.weight" : "mlp_norm.weight"), Shape.Hidden);
        Add(layer + "mlp.gate_proj.weight", Shape.Intermediate, Shape.Hidden);
        Add(layer + "mlp.up_proj.weight", Shape.Intermediate, Shape.Hidden);
        Add(layer + "mlp.down_proj.weight", Shape.Hidden, Shape.Intermediate);
    }

    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());

    private static JsonObject MistralConfig(TinyShape shape) => new()
    {
        ["architectures"] = new JsonArray("MistralForCausalLM"),
        ["model_type"] = "mistral",
        ["hidden_size"] = shape.Hidden,
        ["num_attention_heads"] = shape.Heads,
        ["num_key_value_heads"] = shape.KeyValueHeads,
        ["head_dim"] = shape.HeadDim,
        ["intermediate_size"] = shape.Intermediate,
        ["vocab_size"] = shape.Vocabulary,
        ["num_hidden_layers"] = shape.Layers,
        ["rms_norm_eps"] = shape.Epsilon,
        ["rope_theta"] = shape.Theta,
        ["rope_scaling"] = ScalingOf(shape),
        ["sliding_window"] = shape.Window,
        ["tie_word_embeddings"] = shape.Tied,
        ["max_position_embeddings"] = 4096,
        ["bos_token_id"] = 1,
        ["eos_token_id"] = 2,
        ["hidden_act"] = "silu",
        ["torch_dtype"] = "float32",
    };

    private static JsonObject GatedSlotConfig(TinyShape shape) => new()
    {
        ["architectures"] = new JsonArray("GSAForCausalLM"),
        ["model_type"] = "gsa",
        ["hidden_size"] = shape.Hidden,
        ["num_heads"] = shape.Heads,
        ["num_kv_heads"] = shape.KeyValueHeads,
        ["num_slots"] = shape.Slots,
        ["intermediate_size"] = shape.Intermediate,
        ["vocab_size"] = shape.Vocabulary,
        ["num_hidden_layers"] = shape.Layers,
        ["norm_eps"] = shape.Epsilon,
        ["gate_logit_normalizer"] = shape.Tau,
        ["tie_word_embeddings"] = shape.Tied,
        ["max_position_embeddings"] = 4096,
        ["bos_token_id"] = 1,
        ["eos_token_id"] = 2,
        ["feature_map"] = "swish",
        ["expand_k"] = 1,
        ["expand_v"] = 1,
        ["attn"] = shape.HybridLayers is not { Length: > 0 } layers ? null : new JsonObject
        {
            ["layers"] = new JsonArray([.. layers.Select(l => (JsonNode)l)]),
            ["num_heads"] = shape.Heads,
            ["num_kv_heads"] = shape.KeyValueHeads,
            ["qkv_bias"] = false,
            ["window_size"] = shape.Window,
            ["rope_theta"] = shape.Theta,
            ["rope_scaling"] = ScalingOf(shape),
        },
    };

    private static JsonObject? ScalingOf(TinyShape shape) => shape.Scaling switch
    {
        null => null,
        Llama3RopeScaling s => new JsonObject
        {
            ["rope_type"] = "llama3", ["factor"] = s.Factor, ["low_freq_factor"] = s.LowFrequencyFactor, ["high_freq_factor"] = s.HighFrequencyFactor,
            ["original_max_position_embeddings"] = s.OriginalPositions,
        },
        var s => new JsonObject { ["type"] = "linear", ["factor"] = s.Factor },
    };
}
