namespace T2R.Models.Mistral;

/// <summary>What Mistral and Llama folders call the weights.</summary>
internal static class MistralNames
{
    public static readonly WeightNames Table = new(
    [
        (WeightLayout.Embedding, "model.embed_tokens.weight"),
        ("mixer_norm.weight", "input_layernorm.weight"),
        ("mixer.q_proj.weight", "self_attn.q_proj.weight"),
        ("mixer.k_proj.weight", "self_attn.k_proj.weight"),
        ("mixer.v_proj.weight", "self_attn.v_proj.weight"),
        ("mixer.o_proj.weight", "self_attn.o_proj.weight"),
        ("mlp_norm.weight", "post_attention_layernorm.weight"),
        ("mlp.gate_proj.weight", "mlp.gate_proj.weight"),
        ("mlp.up_proj.weight", "mlp.up_proj.weight"),
        ("mlp.down_proj.weight", "mlp.down_proj.weight"),
        (WeightLayout.Norm, "model.norm.weight"),
        (WeightLayout.Head, "lm_head.weight"),
    ]);
}
