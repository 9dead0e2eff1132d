using System.Text.Json.Nodes;
using T2R.Mixers;
using T2R.Models;
using T2R.Models.Mistral;
using Xunit;

namespace T2R.Tests.Models;

public class MistralConfigTests
{
    public static TheoryData<string, string> Unsupported => new()
    {
        { "rope_scaling", """{"type": "linear"}""" },
        { "rope_scaling", """{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 1.0, "original_max_position_embeddings": 8192}""" },
        { "rope_scaling", "8" },
        { "attention_bias", "true" },
        { "mlp_bias", "true" },
        { "rope_interleaved", "true" },
        { "hidden_act", "\"gelu\"" },
        { "quantization_config", """{"bits": 4}""" },
        { "partial_rotary_factor", "0.5" },
        { "layer_types", """["full_attention", "sliding_attention"]""" },
        { "head_dim", "7" },
        { "num_attention_heads", "\"four\"" },
        { "num_hidden_layers", "-1" },
        { "rms_norm_eps", "0" },
        { "vocab_size", "1.5" },
        { "tie_word_embeddings", "\"no\"" },
    };

    public static TheoryData<string> Required => ["hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size", "vocab_size"];

    [Theory]
    [MemberData(nameof(Unsupported))]
    public void What_is_not_supported_is_refused_by_name(string key, string value)
    {
        var model = new TinyModel(new TinyShape());
        model.Config[key] = JsonNode.Parse(value);
        Opening.IsRefused(model, "config.json", key);
    }

    [Theory]
    [MemberData(nameof(Required))]
    public void A_key_that_is_missing_is_named_and_nothing_else(string key)
    {
        var model = new TinyModel(new TinyShape());
        model.Config.Remove(key);
        Opening.IsRefused(model, key, "missing");
    }

    [Fact]
    public void Every_mistake_is_named_at_once()
    {
        var model = new TinyModel(new TinyShape());
        model.Config["hidden_act"] = "gelu";
        model.Config["attention_bias"] = true;
        model.Config.Remove("vocab_size");
        var problems = Opening.Problems(model);
        Assert.Equal(3, problems.Count);
        Assert.All(["hidden_act", "attention_bias", "vocab_size"], key => Assert.Contains(problems, p => p.Contains(key, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("gpt2", "GPT2LMHeadModel")]
    [InlineData("mixtral", "MixtralForCausalLM")]
    public void Another_architecture_is_refused_by_name(string type, string architecture)
    {
        var model = new TinyModel(new TinyShape());
        model.Config["model_type"] = type;
        model.Config["architectures"] = new JsonArray(architecture);
        Opening.IsRefused(model, "model_type", type, architecture, "mistral", "llama", "gsa");
    }

    [Fact]
    public void Absent_keys_mean_what_they_mean_to_transformers()
    {
        var model = new TinyModel(new TinyShape { Heads = 8, KeyValueHeads = 8, HeadDim = 4 });
        foreach (string key in new[]
                 {
                     "num_key_value_heads", "head_dim", "rms_norm_eps", "rope_theta", "sliding_window", "tie_word_embeddings", "max_position_embeddings", "bos_token_id", "eos_token_id", "hidden_act",
                 })
        {
            model.Config.Remove(key);
        }

        var config = Opening.Config(model);
        Assert.Equal((1e-6, false, 131072, 1, 2), (config.NormEpsilon, config.TieWordEmbeddings, config.MaxPositionEmbeddings, config.BosTokenId, config.EosTokenIds.Single()));
        Assert.Equal(new SoftmaxAttentionConfig(8, 8, 4, 10000, 4096), config.Mixers[0]);

        model.Config["model_type"] = "llama";
        config = Opening.Config(model);
        Assert.Equal(2048, config.MaxPositionEmbeddings);
        Assert.Equal(new SoftmaxAttentionConfig(8, 8, 4, 10000, null), config.Mixers[0]);
    }

    [Theory]
    [InlineData("mistral")]
    [InlineData("llama")]
    public void Null_key_heads_are_as_many_as_query_heads(string type)
    {
        var model = new TinyModel(new TinyShape { KeyValueHeads = 4 });
        model.Config["model_type"] = type;
        model.Config["num_key_value_heads"] = null;
        Assert.Equal(4, Opening.Config(model).Mixers[0].KeyValueHeads);
    }

    [Fact]
    public void A_null_window_is_none_and_a_number_is_one()
    {
        Assert.Null(((SoftmaxAttentionConfig)Opening.Config(new TinyModel(new TinyShape())).Mixers[0]).SlidingWindow);
        Assert.Equal(7, ((SoftmaxAttentionConfig)Opening.Config(new TinyModel(new TinyShape { Window = 7 })).Mixers[0]).SlidingWindow);
    }

    [Theory]
    [InlineData("yarn")]
    [InlineData("dynamic")]
    [InlineData("longrope")]
    [InlineData("ntk")]
    [InlineData("su")]
    public void Rope_that_is_scaled_otherwise_is_refused_by_name(string type)
    {
        foreach (var (parent, key) in new[] { ("rope_scaling", "type"), ("rope_scaling", "rope_type"), ("rope_parameters", "rope_type") })
        {
            var model = new TinyModel(new TinyShape());
            model.Config[parent] = new JsonObject { [key] = type, ["factor"] = 4.0 };
            Opening.IsRefused(model, $"{parent}.{key} is \"{type}\"", "default, linear and llama3");
        }
    }

    [Fact]
    public void Every_missing_number_of_a_scaling_is_named()
    {
        var model = new TinyModel(new TinyShape());
        model.Config["rope_scaling"] = new JsonObject { ["rope_type"] = "llama3" };
        var problems = Opening.Problems(model);
        Assert.Equal(["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"], problems.Select(p => p.Split(' ')[1]["rope_scaling.".Length..]));
    }

    [Fact]
    public void Two_scalings_that_disagree_are_refused()
    {
        var model = new TinyModel(new TinyShape { Scaling = new LinearRopeScaling(2) });
        model.Config["rope_parameters"] = new JsonObject { ["rope_type"] = "linear", ["rope_theta"] = 10000.0, ["factor"] = 2.0 };
        Assert.Equal(new LinearRopeScaling(2), ((SoftmaxAttentionConfig)Opening.Config(model).Mixers[0]).RopeScaling);
        model.Config["rope_parameters"]!["factor"] = 4.0;
        Opening.IsRefused(model, "rope_parameters", "rope_scaling");
        model.Config["rope_parameters"]!["factor"] = 2.0;
        model.Config["rope_theta"] = 500000.0;
        Opening.IsRefused(model, "rope_parameters", "rope_theta");
    }

    [Fact]
    public void Heads_that_do_not_divide_are_refused()
    {
        var model = new TinyModel(new TinyShape());
        model.Config["num_key_value_heads"] = 3;
        Opening.IsRefused(model, "num_attention_heads", "num_key_value_heads");
    }

    [Fact]
    public void An_unknown_key_is_a_warning_and_known_ones_are_not()
    {
        var model = new TinyModel(new TinyShape());
        model.Config["transformers_version"] = "5.0.0";
        model.Config["attention_dropout"] = 0.1;
        Assert.Empty(Opening.Warnings(model));
        model.Config["num_experts"] = 8;
        Assert.Contains("num_experts", Assert.Single(Opening.Warnings(model)));
    }

    [Fact]
    public void Several_end_ids_are_all_read_and_written()
    {
        var model = new TinyModel(new TinyShape());
        model.Config["eos_token_id"] = new JsonArray(5, 6);
        ModelConfig config = Opening.Config(model);
        Assert.Equal([5, 6], config.EosTokenIds);
        Assert.Equal("[5,6]", MistralFormat.WriteConfig(config, "bfloat16")["eos_token_id"]!.ToJsonString());
        Assert.Equal("5", MistralFormat.WriteConfig(config with { EosTokenIds = [5] }, "bfloat16")["eos_token_id"]!.ToJsonString());
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("[5, -1]")]
    [InlineData("[\"a\"]")]
    [InlineData("\"</s>\"")]
    public void What_is_no_end_id_is_refused(string json)
    {
        var model = new TinyModel(new TinyShape());
        model.Config["eos_token_id"] = JsonNode.Parse(json);
        Opening.IsRefused(model, "eos_token_id", "expected a token id, or a list of them");
    }
}
