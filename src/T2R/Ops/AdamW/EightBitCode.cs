using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace T2R.Ops.AdamW;

/// <summary>
/// Eight bits for a number beside a scale, the largest magnitude of its block (after Dettmers et al., 8-bit Optimizers via Block-wise Quantization, ICLR 2022). As in
/// their dynamic code, steps shrink with the number; here they are those of a small floating-point type, so that the relative error is alike at all sizes, which is
/// what matters in a ratio of moments, and so that encoding, with stochastic rounding, is an addition to the bits of an fp32 number.
/// <list type="bullet">
/// <item>m: a sign and 7 bits. 0, and 127 magnitudes with 8 steps an octave from 1.25 · 2⁻¹⁶ to 1. Below the smallest it is rounded to that or to 0.</item>
/// <item>√v: 8 bits. 0, and 255 magnitudes with 16 steps an octave from 1.125 · 2⁻¹⁶ to 1. Below the smallest it is that, unless it is 0: rounded to 0 it would turn a
/// tiny step into the largest.</item>
/// </list>
/// </summary>
internal static class EightBitCode
{
    /// <summary>Numbers that share a scale.</summary>
    public const int Block = 256;

    /// <summary>A block whose largest magnitude is below this is stored as zeros.</summary>
    public const float SmallestScale = 7.8886090522101181e-31f; // 2⁻¹⁰⁰

    // 1.0 has the bits 0x3F800000. The code of a magnitude is the upper bits of its fp32 form less those of code 0, such that 1.0 gets the largest code.
    private const int MeanShift = 20, SpreadShift = 19;
    private const uint MeanOrigin = (0x3F800000u >> MeanShift) - 127, SpreadOrigin = (0x3F800000u >> SpreadShift) - 255;
    private const uint SmallestMean = (MeanOrigin + 1) << MeanShift, SmallestSpread = (SpreadOrigin + 1) << SpreadShift;

    /// <summary>m over its scale.</summary>
    /// <param name="codes">In the low byte of each lane.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> DecodeMean(Vector256<uint> codes)
    {
        var magnitude = codes & Vector256.Create(127u);
        var bits = ((magnitude + Vector256.Create(MeanOrigin)) << MeanShift) | ((codes & Vector256.Create(128u)) << 24);
        return Vector256.ConditionalSelect(Vector256.Equals(magnitude, Vector256<uint>.Zero), Vector256<uint>.Zero, bits).AsSingle();
    }

    /// <summary>√v over its scale.</summary>
    /// <param name="codes">In the low byte of each lane.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> DecodeSpread(Vector256<uint> codes) =>
        Vector256.ConditionalSelect(Vector256.Equals(codes, Vector256<uint>.Zero), Vector256<uint>.Zero, (codes + Vector256.Create(SpreadOrigin)) << SpreadShift).AsSingle();

    /// <summary>Codes of m.</summary>
    /// <param name="scaled">m over its scale; beyond ±1 counts as ±1.</param>
    /// <param name="random">16 bits each.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> EncodeMean(Vector256<float> scaled, Vector256<uint> random)
    {
        var magnitude = AtMostOne(Vector256.Abs(scaled));
        var bits = magnitude.AsUInt32();

        // Sixteen random bits, spread over the twenty that are cut off.
        var code = ((bits + ((random << 4) | (random >>> 12))) >>> MeanShift) - Vector256.Create(MeanOrigin);
        var drawn = Vector256.ConvertToSingle(random.AsInt32()) * Vector256.Create(BitConverter.UInt32BitsToSingle(SmallestMean) / 65536);
        var smallest = Vector256.LessThan(drawn, magnitude).AsUInt32() & Vector256<uint>.One;
        code = Vector256.ConditionalSelect(Vector256.LessThan(bits.AsInt32(), Vector256.Create((int)SmallestMean)).AsUInt32(), smallest, code);
        var sign = (scaled.AsUInt32() >>> 24) & Vector256.Create(128u);
        return Vector256.ConditionalSelect(Vector256.Equals(code, Vector256<uint>.Zero), code, code | sign);
    }

    /// <summary>Codes of √v.</summary>
    /// <param name="scaled">√v over its scale, not negative; beyond 1 counts as 1.</param>
    /// <param name="random">16 bits each.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> EncodeSpread(Vector256<float> scaled, Vector256<uint> random)
    {
        var magnitude = AtMostOne(scaled);
        var bits = magnitude.AsUInt32();
        var code = ((bits + ((random << 3) | (random >>> 13))) >>> SpreadShift) - Vector256.Create(SpreadOrigin);
        var smallest = Vector256.GreaterThan(magnitude, Vector256<float>.Zero).AsUInt32() & Vector256<uint>.One;
        return Vector256.ConditionalSelect(Vector256.LessThan(bits.AsInt32(), Vector256.Create((int)SmallestSpread)).AsUInt32(), smallest, code);
    }

    private static Vector256<float> AtMostOne(Vector256<float> x) => Vector256.ConditionalSelect(Vector256.GreaterThan(x, Vector256<float>.One), Vector256<float>.One, x);
}
