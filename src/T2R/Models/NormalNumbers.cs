using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace T2R.Models;

/// <summary>
/// Normal deviates by number: the i-th of a sequence depends on key, stream and i alone, whoever asks for it and in whatever order. <see cref="Philox"/>'s words,
/// two by two, by the formula of Box and Muller (1958), √(−2 ln u) · (cos 2πv, sin 2πv), in fp32; at most 6.7 deviations from 0. Sums and products are never
/// fused, so every processor gives the same bits.
/// </summary>
internal static class NormalNumbers
{
    /// <summary>Numbers that come together: a piece of a sequence must begin at a multiple of it.</summary>
    internal const int Group = 4 * Philox.Lanes;

    /// <summary>Fills with a piece of a sequence.</summary>
    /// <param name="key">Names the family of sequences.</param>
    /// <param name="stream">Names the sequence.</param>
    /// <param name="first">Number of the piece's first deviate, a multiple of <see cref="Group"/>.</param>
    /// <param name="deviation">Standard deviation; the mean is 0.</param>
    /// <param name="numbers">The piece.</param>
    internal static void Fill(ulong key, ulong stream, long first, float deviation, Span<float> numbers)
    {
        int whole = numbers.Length - (numbers.Length % Group);
        ref float to = ref MemoryMarshal.GetReference(numbers);
        for (int i = 0; i < whole; i += Group)
        {
            var (a, b) = Deviates(key, stream, first + i, deviation);
            a.StoreUnsafe(ref to, (nuint)i);
            b.StoreUnsafe(ref to, (nuint)(i + Vector256<float>.Count));
        }

        if (whole < numbers.Length)
        {
            Span<float> rest = stackalloc float[Group];
            Fill(key, stream, first + whole, deviation, rest);
            rest[..(numbers.Length - whole)].CopyTo(numbers[whole..]);
        }
    }

    /// <summary>Likewise, each rounded to the nearest bfloat16, ties to even.</summary>
    internal static void FillBFloat16(ulong key, ulong stream, long first, float deviation, Span<ushort> numbers)
    {
        int whole = numbers.Length - (numbers.Length % Group);
        ref ushort to = ref MemoryMarshal.GetReference(numbers);
        for (int i = 0; i < whole; i += Group)
        {
            var (a, b) = Deviates(key, stream, first + i, deviation);
            Vector256.Narrow(Rounded(a), Rounded(b)).StoreUnsafe(ref to, (nuint)i);
        }

        if (whole < numbers.Length)
        {
            Span<ushort> rest = stackalloc ushort[Group];
            FillBFloat16(key, stream, first + whole, deviation, rest);
            rest[..(numbers.Length - whole)].CopyTo(numbers[whole..]);
        }
    }

    // Four counters give 16 words: words 0 and 2 are radii, 1 and 3 angles; each pair gives a cosine, in the first result, and a sine, in the second.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> Cosines, Vector256<float> Sines) Deviates(ulong key, ulong stream, long first, float deviation)
    {
        var counters = Vector256.Create((ulong)(first / 4)) + Vector256.Create(0UL, 1, 2, 3);
        var (w0, w1, w2, w3) = Philox.Words(key, counters, stream);
        var radius = Radius(Joined(w0, w2)) * deviation;
        var (cosine, sine) = Direction(Joined(w1, w3));
        return (radius * cosine, radius * sine);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Joined(Vector256<ulong> even, Vector256<ulong> odd) =>
        ((even & Vector256.Create((ulong)uint.MaxValue)) | (odd << 32)).AsUInt32();

    // √(−2 ln u) of u = (word / 2 + ½) / 2³¹. ln as in Cephes' logf (Moshier): u = 2ᵉ (1 + f) with √½ ≤ 1 + f < √2, then a polynomial in f.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Radius(Vector256<uint> word)
    {
        var u = (Vector256.ConvertToSingle((word >>> 1).AsInt32()) * 4.656612873e-10f) + Vector256.Create(2.328306437e-10f);
        var exponent = (u.AsInt32() - Vector256.Create(0x3F3504F3)) >> 23;
        var f = (u.AsInt32() - (exponent << 23)).AsSingle() - Vector256<float>.One;
        var e = Vector256.ConvertToSingle(exponent);
        var square = f * f;
        var p = (f * 7.0376836292e-2f) - Vector256.Create(1.1514610310e-1f);
        p = (p * f) + Vector256.Create(1.1676998740e-1f);
        p = (p * f) - Vector256.Create(1.2420140846e-1f);
        p = (p * f) + Vector256.Create(1.4249322787e-1f);
        p = (p * f) - Vector256.Create(1.6668057665e-1f);
        p = (p * f) + Vector256.Create(2.0000714765e-1f);
        p = (p * f) - Vector256.Create(2.4999993993e-1f);
        p = (p * f) + Vector256.Create(3.3333331174e-1f);
        p = (p * f * square) - (e * 2.12194440e-4f) - (square * 0.5f);
        var logarithm = f + p + (e * 0.693359375f);
        return Vector256.Sqrt(Vector256.Max(logarithm * -2f, Vector256<float>.Zero));
    }

    // The word's upper two bits are a quarter of the circle, the others an angle in [−π/4, π/4). Polynomials as in Cephes' sinf and cosf.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> Cosine, Vector256<float> Sine) Direction(Vector256<uint> word)
    {
        var x = Vector256.ConvertToSingle((word << 2).AsInt32() >> 2) * 1.462918079e-9f; // π / 2³¹
        var z = x * x;
        var sine = (z * -1.9515295891e-4f) + Vector256.Create(8.3321608736e-3f);
        sine = (((sine * z) - Vector256.Create(1.6666654611e-1f)) * z * x) + x;
        var cosine = (z * 2.443315711809948e-5f) - Vector256.Create(1.388731625493765e-3f);
        cosine = (((cosine * z) + Vector256.Create(4.166664568298827e-2f)) * z * z) - (z * 0.5f) + Vector256<float>.One;

        // A quarter turn takes (c, s) to (−s, c), half a turn to (−c, −s).
        var quarter = ((word << 1).AsInt32() >> 31).AsSingle();
        var half = (word & Vector256.Create(0x80000000)).AsSingle();
        return (Vector256.ConditionalSelect(quarter, -sine, cosine) ^ half, Vector256.ConditionalSelect(quarter, cosine, sine) ^ half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Rounded(Vector256<float> x)
    {
        var bits = x.AsUInt32();
        return (bits + Vector256.Create(0x7FFFU) + ((bits >>> 16) & Vector256<uint>.One)) >>> 16;
    }
}
