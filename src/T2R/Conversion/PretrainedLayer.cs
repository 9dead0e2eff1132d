using T2R.Mixers;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>The softmax layer that a gated slot layer replaces: its weights, and random numbers that are its own.</summary>
public sealed class PretrainedLayer
{
    private readonly int _index;
    private readonly long _seed;
    private readonly Func<WeightSpec, Tensor> _read;
    private readonly Dictionary<string, WeightSpec> _specs;

    /// <summary>One layer of a model.</summary>
    /// <param name="source">The model's shape.</param>
    /// <param name="index">Which layer, from 0.</param>
    /// <param name="target">The shape of what replaces its attention.</param>
    /// <param name="seed">Of the conversion.</param>
    /// <param name="read">Yields a weight as it is stored, on the CPU.</param>
    public PretrainedLayer(ModelConfig source, int index, GatedSlotAttentionConfig target, long seed, Func<WeightSpec, Tensor> read)
    {
        (_index, Target, _seed, _read) = (index, target, seed, read);
        HiddenSize = source.HiddenSize;
        _specs = WeightLayout.OfBlock(source, index).ToDictionary(s => s.Name, StringComparer.Ordinal);
    }

    /// <summary>The shape of what replaces the attention.</summary>
    public GatedSlotAttentionConfig Target { get; }

    /// <summary>Width of the residual stream, D.</summary>
    public int HiddenSize { get; }

    /// <summary>A weight in fp32, a copy owned by the current dispose scope.</summary>
    /// <param name="part">Its name inside the block, such as <c>mixer.k_proj</c>.</param>
    public Tensor Read(string part)
    {
        using var stored = _read(_specs[WeightLayout.OfBlock(_index, part)]);
        return stored.to(ScalarType.Float32, copy: true);
    }

    /// <summary>
    /// Standard normal numbers in fp32, drawn on the CPU from a generator of their own: the same for a seed, a layer and a purpose, whatever was drawn before.
    /// </summary>
    /// <param name="purpose">Tells apart what one layer draws.</param>
    /// <param name="shape">Their shape.</param>
    public Tensor Normal(string purpose, params ReadOnlySpan<long> shape)
    {
        using var generator = new Generator(SeedFor(purpose), CPU);
        return empty([.. shape], ScalarType.Float32).normal_(0, 1, generator);
    }

    // FNV-1a over seed, layer and purpose, then a final mix (SplitMix64), as torch's generator heeds the low 32 bits alone.
    private ulong SeedFor(string purpose)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in $"{_seed}/{_index}/{purpose}")
        {
            hash = (hash ^ c) * 1099511628211;
        }

        hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
        hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
        return (hash ^ (hash >> 31)) & uint.MaxValue;
    }
}
