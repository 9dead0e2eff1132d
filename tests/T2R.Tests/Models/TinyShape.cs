using T2R.Mixers;

namespace T2R.Tests.Models;

/// <summary>The shape of a model made for a test, in the plain words of config.json. A layer is gated slot attention unless it is named as softmax.</summary>
internal sealed record TinyShape
{
    public int Hidden { get; init; } = 32;
    public int Heads { get; init; } = 4;
    public int KeyValueHeads { get; init; } = 2;
    public int HeadDim { get; init; } = 8;
    public int Intermediate { get; init; } = 48;
    public int Vocabulary { get; init; } = 60;
    public int Layers { get; init; } = 3;
    public double Epsilon { get; init; } = 1e-5;
    public bool Tied { get; init; }
    public double Theta { get; init; } = 10000;
    public RopeScaling? Scaling { get; init; }
    public int? Window { get; init; }
    public int Slots { get; init; } = 6;
    public double Tau { get; init; } = 8;

    /// <summary>Null for a Mistral folder, whose layers are all softmax; the softmax layers of a GSA folder otherwise.</summary>
    public int[]? HybridLayers { get; init; }

    public bool IsMistral => HybridLayers is null;

    public bool IsSoftmax(int layer) => HybridLayers?.Contains(layer) ?? true;
}
