using T2R.Checkpoints;
using T2R.Mixers;
using T2R.Models;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Models;

/// <summary>config.json as published models have it: nothing in it is unknown, and the shape has the number of parameters that the model is known to have.</summary>
public class PublishedConfigTests
{
    private const string Mistral = """
        "architectures": ["MistralForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 14336,
        "max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
        "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.34.0.dev0", "use_cache": true
        """;

    private const string Llama = """
        "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "initializer_range": 0.02, "model_type": "llama", "pretraining_tp": 1, "rms_norm_eps": 1e-05, "use_cache": true,
        "attention_bias": false, "attention_dropout": 0.0
        """;

    private const string Llama3 = Llama + """
        , "bos_token_id": 128000, "mlp_bias": false, "vocab_size": 128256, "num_key_value_heads": 8, "num_attention_heads": 32, "transformers_version": "4.45.0.dev0"
        """;

    private static readonly RopeScaling Llama31 = new Llama3RopeScaling(8, 1, 4, 8192), Llama32 = new Llama3RopeScaling(32, 1, 4, 8192);

    public static TheoryData<string, string, long> Models => new()
    {
        { "Mistral 7B v0.1", Mistral + """, "rope_theta": 10000.0, "sliding_window": 4096, "vocab_size": 32000""", 7_241_732_096 },
        { "Mistral 7B v0.2", Mistral + """, "rope_theta": 1000000.0, "sliding_window": null, "vocab_size": 32000, "attention_dropout": 0.0""", 7_241_732_096 },
        { "Mistral 7B v0.3", Mistral + """, "rope_theta": 1000000.0, "sliding_window": null, "vocab_size": 32768, "attention_dropout": 0.0""", 7_248_023_552 },
        {
            "Llama 2 7B",
            Llama + """
                , "_name_or_path": "meta-llama/Llama-2-7b-hf", "bos_token_id": 1, "eos_token_id": 2, "hidden_size": 4096, "intermediate_size": 11008, "max_position_embeddings": 4096,
                "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32, "rope_scaling": null, "tie_word_embeddings": false, "torch_dtype": "float16", "vocab_size": 32000
                """,
            6_738_415_616
        },
        {
            "Llama 3 8B",
            Llama3 + """
                , "eos_token_id": 128001, "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 8192, "num_hidden_layers": 32, "rope_scaling": null, "rope_theta": 500000.0,
                "tie_word_embeddings": false, "torch_dtype": "bfloat16"
                """,
            8_030_261_248
        },
        {
            "Llama 3.1 8B Instruct",
            Llama3 + """
                , "eos_token_id": [128001, 128008, 128009], "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 131072, "num_hidden_layers": 32, "rope_theta": 500000.0,
                "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
                "tie_word_embeddings": false, "torch_dtype": "bfloat16"
                """,
            8_030_261_248
        },
        {
            "Llama 3.2 1B",
            Llama3 + """
                , "eos_token_id": 128001, "head_dim": 64, "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 131072, "num_hidden_layers": 16, "rope_theta": 500000.0,
                "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
                "tie_word_embeddings": true, "torch_dtype": "bfloat16"
                """,
            1_235_814_400
        },
        {
            "Llama 3.2 1B, as transformers 5 writes it",
            Llama3 + """
                , "eos_token_id": 128001, "head_dim": 64, "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 131072, "num_hidden_layers": 16, "pad_token_id": null,
                "rope_parameters": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_theta": 500000.0, "rope_type": "llama3"},
                "tie_word_embeddings": true, "dtype": "bfloat16"
                """,
            1_235_814_400
        },
        {
            "TinyLlama 1.1B",
            Llama + """
                , "bos_token_id": 1, "eos_token_id": 2, "hidden_size": 2048, "intermediate_size": 5632, "max_position_embeddings": 2048, "num_attention_heads": 32, "num_hidden_layers": 22,
                "num_key_value_heads": 4, "rope_scaling": null, "tie_word_embeddings": false, "torch_dtype": "float32", "vocab_size": 32000
                """,
            1_100_048_384
        },
        {
            "SmolLM 135M",
            Llama + """
                , "bos_token_id": 0, "eos_token_id": 0, "hidden_size": 576, "intermediate_size": 1536, "is_llama_config": true, "max_position_embeddings": 8192, "mlp_bias": false,
                "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3, "pad_token_id": 2, "rope_interleaved": false, "rope_scaling": null, "rope_theta": 100000,
                "tie_word_embeddings": true, "torch_dtype": "bfloat16", "vocab_size": 49152, "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16", "fp16": "float16"}}
                """,
            134_515_008
        },
    };

    [Theory]
    [MemberData(nameof(Models))]
    public void A_published_model_has_the_parameters_that_it_is_known_for(string model, string json, long parameters)
    {
        var (config, unread) = Read("{" + json + "}");
        Assert.Empty(unread);
        Assert.Equal(parameters, WeightLayout.Of(config).Sum(s => s.Count));
        var attention = Assert.IsType<SoftmaxAttentionConfig>(config.Mixers[0]);
        Assert.Equal(model.StartsWith("Llama 3.1", StringComparison.Ordinal) ? Llama31 : model.StartsWith("Llama 3.2", StringComparison.Ordinal) ? Llama32 : null, attention.RopeScaling);
        Assert.Equal(model.StartsWith("Llama 3", StringComparison.Ordinal) ? 500000 : model.StartsWith("Smol", StringComparison.Ordinal) ? 100000 : model.EndsWith(".2", StringComparison.Ordinal) || model.EndsWith(".3", StringComparison.Ordinal) ? 1e6 : 10000, attention.RopeTheta);
        Assert.Equal(model.EndsWith("v0.1", StringComparison.Ordinal) ? 4096 : null, attention.SlidingWindow);
    }

    private static (ModelConfig Config, IReadOnlyList<string> Unread) Read(string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], text);
        var problems = new Problems();
        var json = ConfigJson.Open(folder["config.json"], problems);
        var config = FolderFormats.Of(json)?.ReadConfig(json, problems);
        problems.ThrowIfAny();
        return (config!, [.. json.UnreadKeys]);
    }
}
