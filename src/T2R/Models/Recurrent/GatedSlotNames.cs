namespace T2R.Models.Recurrent;

/// <summary>What <c>GSAForCausalLM</c> folders call the weights, softmax layers of a hybrid included; the last two rows are an older spelling.</summary>
internal static class GatedSlotNames
{
    public static readonly WeightNames Table = new(
    [
        (WeightLayout.Embedding, "model.embeddings.weight"),
        ("mixer_norm.weight", "attn_norm.weight"),
        ("mixer.q_proj.weight", "attn.q_proj.weight"),
        ("mixer.k_proj.weight", "attn.k_proj.weight"),
        ("mixer.v_proj.weight", "attn.v_proj.weight"),
        ("mixer.f_proj.weight", "attn.f_proj.weight"),
        ("mixer.g_norm.weight", "attn.g_norm.weight"),
        ("mixer.o_proj.weight", "attn.o_proj.weight"),
        ("mlp_norm.weight", "mlp_norm.weight"),
        ("mlp.gate_proj.weight", "mlp.gate_proj.weight"),
        ("mlp.up_proj.weight", "mlp.up_proj.weight"),
        ("mlp.down_proj.weight", "mlp.down_proj.weight"),
        (WeightLayout.Norm, "model.norm.weight"),
        (WeightLayout.Head, "lm_head.weight"),
        ("mixer_norm.weight", "attn.norm.weight"),
        ("mlp_norm.weight", "mlp.norm.weight"),
    ]);
}
