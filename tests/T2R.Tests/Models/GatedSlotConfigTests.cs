using System.Text.Json.Nodes;
using T2R.Mixers;
using Xunit;

namespace T2R.Tests.Models;

public class GatedSlotConfigTests
{
    private static readonly TinyShape Recurrent = new() { HybridLayers = [] }, Hybrid = new() { HybridLayers = [1] };

    public static TheoryData<string, string> Unsupported => new()
    {
        { "feature_map", "\"relu\"" },
        { "use_short_conv", "true" },
        { "use_output_gate", "true" },
        { "use_norm", "false" },
        { "elementwise_affine", "false" },
        { "attnres_block_size", "4" },
        { "expand_k", "0.5" },
        { "expand_v", "2" },
        { "num_slots", "0" },
        { "num_heads", "5" },
        { "num_kv_heads", "3" },
    };

    public static TheoryData<string, string?> UnsupportedInHybrid => new()
    {
        { "qkv_bias", "true" },
        { "layers", "[3]" },
        { "layers", "[-1]" },
        { "layers", "\"all\"" },
        { "layers", null },
        { "num_heads", null },
        { "num_heads", "32" },
        { "num_kv_heads", "3" },
        { "window_size", "0" },
    };

    [Theory]
    [MemberData(nameof(Unsupported))]
    public void What_is_not_supported_is_refused_by_name(string key, string value)
    {
        var model = new TinyModel(Recurrent);
        model.Config[key] = JsonNode.Parse(value);
        Opening.IsRefused(model, "config.json", key == "num_heads" ? "hidden_size" : key);
    }

    [Theory]
    [MemberData(nameof(UnsupportedInHybrid))]
    public void What_is_not_supported_in_softmax_layers_is_refused_by_name(string key, string? value)
    {
        var model = new TinyModel(Hybrid);
        var attn = model.Config["attn"]!.AsObject();
        attn.Remove(key);
        if (value is not null)
        {
            attn[key] = JsonNode.Parse(value);
        }

        Opening.IsRefused(model, key == "num_kv_heads" ? "attn.num_heads" : $"attn.{key}");
    }

    [Fact]
    public void Absent_keys_mean_what_they_mean_to_the_peer()
    {
        var model = new TinyModel(Recurrent with { KeyValueHeads = 4, Slots = 64, Intermediate = 256 });
        foreach (string key in new[]
                 {
                     "num_kv_heads", "num_slots", "intermediate_size", "norm_eps", "gate_logit_normalizer", "tie_word_embeddings", "max_position_embeddings", "bos_token_id", "eos_token_id",
                     "feature_map", "expand_k", "expand_v", "attn",
                 })
        {
            model.Config.Remove(key);
        }

        var config = Opening.Config(model);
        Assert.Equal((1e-6, false, 2048, 1, 2, 256), (config.NormEpsilon, config.TieWordEmbeddings, config.MaxPositionEmbeddings, config.BosTokenId, config.EosTokenIds.Single(), config.IntermediateSize));
        Assert.All(config.Mixers, m => Assert.Equal(new GatedSlotAttentionConfig(4, 4, 8, 64, 8), m));
        Assert.True(config.IsRecurrent);
    }

    [Fact]
    public void Null_slots_are_as_many_as_a_head_is_wide()
    {
        var model = new TinyModel(Recurrent with { Slots = 8 });
        model.Config["num_slots"] = null;
        Assert.Equal(8, ((GatedSlotAttentionConfig)Opening.Config(model).Mixers[0]).Slots);
    }

    [Fact]
    public void A_hybrid_names_its_softmax_layers()
    {
        var config = Opening.Config(new TinyModel(Hybrid with { Window = 9, Theta = 77 }));
        Assert.False(config.IsRecurrent);
        Assert.Equal(new SoftmaxAttentionConfig(4, 2, 8, 77, 9), config.Mixers[1]);
        Assert.IsType<GatedSlotAttentionConfig>(config.Mixers[0]);
        Assert.IsType<GatedSlotAttentionConfig>(config.Mixers[2]);
    }

    [Fact]
    public void Keys_that_the_peer_writes_and_that_say_nothing_are_no_warning()
    {
        var model = new TinyModel(Recurrent);
        foreach (string key in new[] { "clamp_min", "clamp_max", "conv_size", "fuse_norm", "fuse_swiglu", "fuse_cross_entropy", "use_l2warp", "initializer_range", "use_cache", "hidden_act", "hidden_ratio" })
        {
            model.Config[key] = key == "hidden_act" ? "swish" : key is "conv_size" or "hidden_ratio" ? 4 : null;
        }

        Assert.Empty(Opening.Warnings(model));
    }
}
