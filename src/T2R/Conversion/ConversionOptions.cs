using System.Collections.Immutable;
using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>What a conversion leaves to the user.</summary>
public sealed record ConversionOptions
{
    /// <summary>Slots a kv head, M.</summary>
    public int Slots { get; init; } = 64;

    /// <summary>τ: the log forget gate is logsigmoid(logit) / τ.</summary>
    public double GateLogitNormalizer { get; init; } = 8;

    /// <summary>How new tensors start: a name of <see cref="Initializations"/>.</summary>
    public string Initialization { get; init; } = Initializations.Default;

    /// <summary>Of everything random.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>Layers that keep softmax attention, from 0: a hybrid.</summary>
    public ImmutableArray<int> SoftmaxLayers { get; init; } = [];

    /// <summary>dtype of every tensor written; null keeps each tensor's own.</summary>
    public ScalarType? Dtype { get; init; }
}
