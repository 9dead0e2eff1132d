using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace T2R.Ops.GatedSlot;

/// <summary>Eight floats at once. The kernel's loops index memory they have sized themselves, without bounds checks.</summary>
internal static class CpuVector
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> Load(ref float origin, int index) => Vector256.LoadUnsafe(ref origin, (nuint)index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Store(Vector256<float> vector, ref float origin, int index) => vector.StoreUnsafe(ref origin, (nuint)index);

    /// <summary>x · y + z, fused where the processor can.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> MultiplyAdd(Vector256<float> x, Vector256<float> y, Vector256<float> z) => Vector256.MultiplyAddEstimate(x, y, z);

    /// <summary>x · y + z, fused where the processor can.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> MultiplyAdd(Vector256<float> x, float y, Vector256<float> z) => Vector256.MultiplyAddEstimate(x, Vector256.Create(y), z);

    /// <summary>
    /// exp(x) = 2ⁿ · exp(r) with n = round(x / ln 2) and |r| ≤ ln 2 / 2, by the Taylor polynomial of degree 7: within 2 units in the last place for
    /// −87 ≤ x ≤ 88; exactly 1 at 0, and 0 below −87.
    /// </summary>
    internal static Vector256<float> Exp(Vector256<float> x)
    {
        var n = Vector256.Round(x * 1.44269504f);

        // ln 2 in two parts; the product of the first with n is exact.
        var r = MultiplyAdd(n, -0.693359375f, x);
        r = MultiplyAdd(n, 2.12194440e-4f, r);
        var y = MultiplyAdd(r, 1f / 5040, Vector256.Create(1f / 720));
        y = MultiplyAdd(y, r, Vector256.Create(1f / 120));
        y = MultiplyAdd(y, r, Vector256.Create(1f / 24));
        y = MultiplyAdd(y, r, Vector256.Create(1f / 6));
        y = MultiplyAdd(y, r, Vector256.Create(0.5f));
        y = MultiplyAdd(y * r, r, r + Vector256<float>.One);
        var power = Vector256.ShiftLeft(Vector256.ConvertToInt32(n) + Vector256.Create(127), 23).AsSingle();
        return Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256.Create(-87f)), Vector256<float>.Zero, y * power);
    }
}
