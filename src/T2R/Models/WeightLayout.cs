using T2R.Mixers;

namespace T2R.Models;

/// <summary>Which weights a model of a given shape has: the one list that loading, conversion, export, counting and planning read.</summary>
public static class WeightLayout
{
    /// <summary>The embedding, <c>[V, D]</c>.</summary>
    public const string Embedding = "embedding.weight";

    /// <summary>The final norm, <c>[D]</c>.</summary>
    public const string Norm = "norm.weight";

    /// <summary>The head, <c>[V, D]</c>; absent when tied.</summary>
    public const string Head = "head.weight";

    /// <summary>Every weight, in the order data flows.</summary>
    public static IReadOnlyList<WeightSpec> Of(ModelConfig config)
    {
        var specs = new List<WeightSpec> { new(Embedding, [config.VocabularySize, config.HiddenSize]) };
        for (int i = 0; i < config.Layers; i++)
        {
            foreach (var spec in OfBlock(config, i))
            {
                specs.Add(spec);
                if (config.Lora is { } lora && lora.Adapts(spec))
                {
                    var (a, b) = lora.Of(spec);
                    specs.AddRange([a, b]);
                }
            }
        }

        specs.Add(new(Norm, [config.HiddenSize]));
        if (!config.TieWordEmbeddings)
        {
            specs.Add(new(Head, [config.VocabularySize, config.HiddenSize]));
        }

        return specs;
    }

    /// <summary>The weights of block <paramref name="i"/>, without adapters.</summary>
    public static IEnumerable<WeightSpec> OfBlock(ModelConfig config, int i)
    {
        long hidden = config.HiddenSize, intermediate = config.IntermediateSize;
        var mixer = config.Mixers[i];
        yield return Spec("mixer_norm", hidden);
        yield return Spec("mixer.q_proj", mixer.QuerySize, hidden);
        yield return Spec("mixer.k_proj", mixer.KeyValueSize, hidden);
        yield return Spec("mixer.v_proj", mixer.KeyValueSize, hidden);
        if (mixer is GatedSlotAttentionConfig slots)
        {
            yield return Spec("mixer.f_proj", slots.SlotSize, hidden);
            yield return Spec("mixer.g_norm", mixer.QuerySize);
        }

        yield return Spec("mixer.o_proj", hidden, mixer.QuerySize);
        yield return Spec("mlp_norm", hidden);
        yield return Spec("mlp.gate_proj", intermediate, hidden);
        yield return Spec("mlp.up_proj", intermediate, hidden);
        yield return Spec("mlp.down_proj", hidden, intermediate);

        WeightSpec Spec(string name, params ReadOnlySpan<long> shape) => new(OfBlock(i, name), [.. shape]);
    }

    /// <summary>The name of a block's weight, such as <c>blocks.3.mixer.q_proj.weight</c>.</summary>
    /// <param name="i">Which block, from 0.</param>
    /// <param name="name">Its name inside the block, such as <c>mixer.q_proj</c>.</param>
    public static string OfBlock(int i, string name) => $"blocks.{i}.{name}.weight";

    /// <summary>Whether a weight is one of block <paramref name="i"/>'s.</summary>
    /// <param name="i">Which block, from 0.</param>
    /// <param name="name">The weight's full name.</param>
    public static bool IsOfBlock(int i, string name) => name.StartsWith($"blocks.{i}.", StringComparison.Ordinal);
}
