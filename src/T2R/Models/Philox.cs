using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace T2R.Models;

/// <summary>
/// The generator Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011): for each 64-bit key a bijection of 128-bit
/// counters, so that any number of a sequence can be had without those before it.
/// </summary>
internal static class Philox
{
    /// <summary>Counters done at once.</summary>
    internal const int Lanes = 4;

    private const int Rounds = 10;

    /// <summary>Four 32-bit words for each of four counters; each word is the lower half of its lane, the upper half is no use.</summary>
    /// <param name="key">The key.</param>
    /// <param name="low">Lower 64 bits of the counters.</param>
    /// <param name="high">Upper 64 bits of them all.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static (Vector256<ulong> W0, Vector256<ulong> W1, Vector256<ulong> W2, Vector256<ulong> W3) Words(ulong key, Vector256<ulong> low, ulong high)
    {
        var (c0, c1, c2, c3) = (low, low >>> 32, Vector256.Create(high), Vector256.Create(high >>> 32));
        var (k0, k1) = ((uint)key, (uint)(key >>> 32));
        for (int round = 0; round < Rounds; round++)
        {
            var p0 = Product(c0, Vector256.Create(0xD2511F53UL));
            var p1 = Product(c2, Vector256.Create(0xCD9E8D57UL));
            (c0, c1, c2, c3) = ((p1 >>> 32) ^ c1 ^ Vector256.Create((ulong)k0), p1, (p0 >>> 32) ^ c3 ^ Vector256.Create((ulong)k1), p0);
            (k0, k1) = (unchecked(k0 + 0x9E3779B9), unchecked(k1 + 0xBB67AE85));
        }

        return (c0, c1, c2, c3);
    }

    // Of the lower halves of the lanes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Product(Vector256<ulong> a, Vector256<ulong> b) => Avx2.IsSupported
        ? Avx2.Multiply(a.AsUInt32(), b.AsUInt32())
        : (a & Vector256.Create((ulong)uint.MaxValue)) * (b & Vector256.Create((ulong)uint.MaxValue));
}
