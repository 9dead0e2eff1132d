using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace T2R.Ops.AdamW;

/// <summary>bf16 as the upper half of fp32.</summary>
internal static class BFloat16Code
{
    /// <summary>The numbers, exactly.</summary>
    /// <param name="bits">Their bits.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Decode(Vector128<ushort> bits) =>
        (Vector256.Create(Vector128.WidenLower(bits), Vector128.WidenUpper(bits)) << 16).AsSingle();

    /// <summary>The two neighbours of each number, the upper one (away from zero) as often as its share says: the mean over all random numbers is the number itself.</summary>
    /// <param name="values">The numbers.</param>
    /// <param name="random">16 bits each.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> Encode(Vector256<float> values, Vector256<uint> random)
    {
        var bits = values.AsUInt32();
        return Upper(Vector256.ConditionalSelect(IsFinite(bits), bits + random, Quiet(bits)));
    }

    /// <summary>The nearest of each number, the even one of two that are as near.</summary>
    /// <param name="values">The numbers.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ushort> Nearest(Vector256<float> values)
    {
        var bits = values.AsUInt32();
        var rounded = bits + Vector256.Create(0x7FFFu) + ((bits >>> 16) & Vector256<uint>.One);
        return Upper(Vector256.ConditionalSelect(IsFinite(bits), rounded, Quiet(bits)));
    }

    private static Vector256<uint> IsFinite(Vector256<uint> bits) => Vector256.LessThan((bits & Vector256.Create(0x7FFFFFFFu)).AsInt32(), Vector256.Create(0x7F800000)).AsUInt32();

    // An infinity stays; a NaN must keep a bit in the upper half.
    private static Vector256<uint> Quiet(Vector256<uint> bits) =>
        bits | (Vector256.GreaterThan((bits & Vector256.Create(0x7FFFFFFFu)).AsInt32(), Vector256.Create(0x7F800000)).AsUInt32() & Vector256.Create(0x00400000u));

    private static Vector128<ushort> Upper(Vector256<uint> bits)
    {
        var upper = bits >>> 16;
        return Vector128.Narrow(upper.GetLower(), upper.GetUpper());
    }
}
