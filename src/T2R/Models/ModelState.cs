using T2R.Mixers;

namespace T2R.Models;

/// <summary>What a model remembers of the tokens so far, layer by layer.</summary>
/// <param name="layers">One state a block.</param>
public sealed class ModelState(IReadOnlyList<IMixerState> layers) : IDisposable
{
    /// <summary>One state a block.</summary>
    public IReadOnlyList<IMixerState> Layers { get; } = layers;

    /// <summary>Tokens seen.</summary>
    public long Length { get; private set; }

    /// <summary>Bytes held now: constant for a recurrent model, growing with <see cref="Length"/> for a transformer.</summary>
    public long ByteCount => Layers.Sum(l => l.ByteCount);

    internal void Advance(long tokens) => Length += tokens;

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var layer in Layers)
        {
            layer.Dispose();
        }
    }
}
