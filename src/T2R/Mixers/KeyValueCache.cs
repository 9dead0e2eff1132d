using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>Keys and values of every token so far: the memory that grows, and that conversion removes.</summary>
public sealed class KeyValueCache : IMixerState
{
    private Tensor? _keys;
    private Tensor? _values;

    /// <summary>Tokens held.</summary>
    public long Length { get; private set; }

    /// <inheritdoc />
    public long ByteCount => Bytes(_keys) + Bytes(_values);

    /// <summary>Adds tokens and returns all so far.</summary>
    /// <param name="keys">Turned keys, <c>[B, Hkv, T, d]</c>.</param>
    /// <param name="values">Values, <c>[B, Hkv, T, d]</c>.</param>
    /// <returns>Views <c>[B, Hkv, S, d]</c> that are good until the next call.</returns>
    public (Tensor Keys, Tensor Values) Append(Tensor keys, Tensor values)
    {
        long length = Length + keys.shape[2];
        _keys = Grown(_keys, keys, length);
        _values = Grown(_values, values, length);
        _keys.narrow(2, Length, keys.shape[2]).copy_(keys);
        _values.narrow(2, Length, keys.shape[2]).copy_(values);
        Length = length;
        return (_keys.narrow(2, 0, length), _values.narrow(2, 0, length));
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _keys?.Dispose();
        _values?.Dispose();
    }

    // Doubling: a sequence of n tokens is copied O(1) times a token.
    private Tensor Grown(Tensor? held, Tensor like, long length)
    {
        if (held is not null && held.shape[2] >= length)
        {
            return held;
        }

        long capacity = Math.Max(length, held is null ? 64 : 2 * held.shape[2]);
        var larger = empty(like.shape[0], like.shape[1], capacity, like.shape[3], dtype: like.dtype, device: like.device).DetachFromDisposeScope();
        if (held is not null)
        {
            larger.narrow(2, 0, Length).copy_(held.narrow(2, 0, Length));
            held.Dispose();
        }

        return larger;
    }

    private static long Bytes(Tensor? t) => t is null ? 0 : t.NumberOfElements * t.ElementSize;
}
