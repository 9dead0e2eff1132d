using T2R.Mixers;
using T2R.Ops.Quantized;

namespace T2R.Models;

/// <summary>Which models can be held in few bits.</summary>
public static class QuantizedModel
{
    /// <summary>Why a model's matrices cannot be in few bits.</summary>
    /// <param name="config">The model.</param>
    /// <returns>The end of a sentence; null when they can.</returns>
    public static string? WhyNot(ModelConfig config)
    {
        if (!config.Mixers.Any(m => m is GatedSlotAttentionConfig))
        {
            return "every layer is softmax attention, and T2R quantises recurrent models";
        }

        var odd = WeightLayout.Of(config).FirstOrDefault(s => s.IsProjection && s.Shape[1] % QuantizedFormat.GroupLength != 0);
        return odd is null ? null : $"{odd.Name} has {odd.Shape[1]} columns, and groups of {QuantizedFormat.GroupLength} share a scale; keep it in bf16";
    }
}
