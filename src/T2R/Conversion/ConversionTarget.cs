using System.Collections.Immutable;
using T2R.Mixers;
using T2R.Models;
using T2R.Models.Recurrent;

namespace T2R.Conversion;

/// <summary>The shape of what a transformer becomes, or why it cannot.</summary>
internal static class ConversionTarget
{
    /// <summary>Every layer gated slot attention but those that keep softmax.</summary>
    /// <param name="config">The transformer.</param>
    /// <param name="options">The user's choices.</param>
    /// <param name="place">What the shape was read from, for errors.</param>
    /// <exception cref="UserErrorException">Everything that is wrong with shape and options together.</exception>
    public static ModelConfig Of(ModelConfig config, ConversionOptions options, string place)
    {
        var problems = new Problems();
        if (config.Mixers.Any(m => m is GatedSlotAttentionConfig))
        {
            throw new UserErrorException($"{place}: the model is recurrent already; convert takes a transformer.");
        }

        Check(config, options, problems);
        problems.ThrowIfAny();
        var kept = options.SoftmaxLayers.ToHashSet();
        ImmutableArray<MixerConfig> mixers =
        [
            .. config.Mixers.Select((m, i) => kept.Contains(i) ? m : new GatedSlotAttentionConfig(m.Heads, m.KeyValueHeads, m.HeadDim, options.Slots, options.GateLogitNormalizer)),
        ];
        var target = config with { Mixers = mixers };
        return GatedSlotFormat.WhyNot(target) is { } reason
            ? throw new UserErrorException($"{place}: the model cannot be converted: it has {reason}.")
            : target;
    }

    private static void Check(ModelConfig config, ConversionOptions options, Problems problems)
    {
        if (options.Slots < 1)
        {
            problems.Add($"the number of slots is {options.Slots}, expected at least 1.");
        }

        if (!(options.GateLogitNormalizer > 0) || !double.IsFinite(options.GateLogitNormalizer))
        {
            problems.Add($"the gate logit normalizer is {options.GateLogitNormalizer}, expected a positive number.");
        }

        _ = problems.Try(() => Initializations.Named(options.Initialization));
        foreach (int layer in options.SoftmaxLayers.Where(i => i < 0 || i >= config.Layers).Distinct())
        {
            problems.Add($"layer {layer} cannot keep softmax attention: the model has layers 0 to {config.Layers - 1}.");
        }

        if (options.SoftmaxLayers.Where(i => i >= 0 && i < config.Layers).Distinct().Count() == config.Layers)
        {
            problems.Add("every layer would keep softmax attention, so nothing would be converted; leave out at least one.");
        }
    }
}
