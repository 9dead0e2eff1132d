namespace T2R.Tests.Models;

/// <summary>A whole model in double, without tensors: what the library's logits are compared with.</summary>
internal sealed class ReferenceModel(TinyShape shape, Func<string, double[]> stored)
{
    public ReferenceModel(TinyModel model)
        : this(model.Shape, name => model.Weights[name].Values)
    {
    }

    /// <summary>Logits <c>[T][V]</c> of a text that starts from nothing.</summary>
    public double[][] Logits(IReadOnlyList<long> ids)
    {
        bool mistral = shape.IsMistral;
        double[] embedding = stored(mistral ? "model.embed_tokens.weight" : "model.embeddings.weight");
        double[][] x = [.. ids.Select(id => embedding[((int)id * shape.Hidden)..(((int)id + 1) * shape.Hidden)])];
        for (int i = 0; i < shape.Layers; i++)
        {
            string layer = $"model.layers.{i}.", attention = layer + (mistral ? "self_attn." : "attn.");
            double[] mixerNorm = stored(layer + (mistral ? "input_layernorm.weight" : "attn_norm.weight"));
            double[] mlpNorm = stored(layer + (mistral ? "post_attention_layernorm.weight" : "mlp_norm.weight"));
            double[][] normed = [.. x.Select(row => ReferenceMath.RmsNorm(row, mixerNorm, shape.Epsilon))];
            double[][] mixed = shape.IsSoftmax(i)
                ? ReferenceAttention.Softmax(shape, normed, name => stored($"{attention}{name}.weight"))
                : ReferenceAttention.GatedSlots(shape, normed, name => stored($"{attention}{name}.weight"));
            for (int t = 0; t < x.Length; t++)
            {
                x[t] = ReferenceMath.Sum(x[t], mixed[t]);
                x[t] = ReferenceMath.Sum(x[t], Mlp(ReferenceMath.RmsNorm(x[t], mlpNorm, shape.Epsilon), layer));
            }
        }

        double[] norm = stored("model.norm.weight"), head = shape.Tied ? embedding : stored("lm_head.weight");
        return [.. x.Select(row => ReferenceMath.Product(head, ReferenceMath.RmsNorm(row, norm, shape.Epsilon)))];
    }

    private double[] Mlp(double[] x, string layer)
    {
        double[] gate = ReferenceMath.Silu(ReferenceMath.Product(stored(layer + "mlp.gate_proj.weight"), x));
        double[] up = ReferenceMath.Product(stored(layer + "mlp.up_proj.weight"), x);
        return ReferenceMath.Product(stored(layer + "mlp.down_proj.weight"), [.. gate.Zip(up, (a, b) => a * b)]);
    }
}
