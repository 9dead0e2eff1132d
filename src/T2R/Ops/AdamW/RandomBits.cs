using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace T2R.Ops.AdamW;

/// <summary>
/// The random bits of stochastic rounding. They follow from a key and an element's place alone, so that every device, order and resumed run sees the same. One hash
/// (lowbias32 of C. Wellons' hash-prospector, keyed before and between its rounds) gives an element's three numbers of 16 bits, any two of which are independent.
/// </summary>
internal static class RandomBits
{
    /// <summary>An element's hash.</summary>
    /// <param name="places">Which elements, of the whole weight.</param>
    /// <param name="key">Of weight and step; well mixed already, its upper half passes one round only.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Hash(Vector256<uint> places, ulong key)
    {
        var x = places ^ Vector256.Create((uint)key);
        x = (x ^ (x >>> 16)) * Vector256.Create(0x21f0aaadu);
        x ^= Vector256.Create((uint)(key >>> 32));
        x = (x ^ (x >>> 15)) * Vector256.Create(0x735a2d97u);
        return x ^ (x >>> 15);
    }

    /// <summary>16 bits for rounding the weight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> ForWeight(Vector256<uint> hash) => hash >>> 16;

    /// <summary>16 bits for rounding m.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> ForMean(Vector256<uint> hash) => hash & Vector256.Create(0xFFFFu);

    /// <summary>16 bits for rounding v or √v.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> ForSpread(Vector256<uint> hash) => (hash * Vector256.Create(0x9E3779B9u)) >>> 16;
}
