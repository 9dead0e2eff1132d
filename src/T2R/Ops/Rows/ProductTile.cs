using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static System.Runtime.Intrinsics.Vector512;

namespace T2R.Ops.Rows;

/// <summary>
/// Products of four weight rows with one row of inputs, or with four. Each sum runs in sixteen lanes, lane l over the columns l, l + 16, l + 32, …, and the lanes are
/// added up in the end: in the same order in both, so that a row's result does not show which rows were taken with it.
/// </summary>
internal static class ProductTile
{
    /// <summary>The products of weights in any format with one row.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="rows">Where their four rows begin.</param>
    /// <param name="x">Where the inputs begin.</param>
    /// <param name="columns">Numbers to sum; whole groups.</param>
    /// <returns>The four weight rows' sums.</returns>
    internal static Vector128<float> One<TFormat>(TFormat weights, FourRows rows, ref float x, int columns)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        for (int first = 0; first < columns; first += IWeightFormat.GroupLength)
        {
            ref float group = ref Unsafe.Add(ref x, first);
            Vector512<float> x0 = LoadUnsafe(ref group), x1 = LoadUnsafe(ref group, 16), x2 = LoadUnsafe(ref group, 32), x3 = LoadUnsafe(ref group, 48);
            var w = weights.Group(rows.A + first);
            a = MultiplyAddEstimate(w.D, x3, MultiplyAddEstimate(w.C, x2, MultiplyAddEstimate(w.B, x1, MultiplyAddEstimate(w.A, x0, a))));
            w = weights.Group(rows.B + first);
            b = MultiplyAddEstimate(w.D, x3, MultiplyAddEstimate(w.C, x2, MultiplyAddEstimate(w.B, x1, MultiplyAddEstimate(w.A, x0, b))));
            w = weights.Group(rows.C + first);
            c = MultiplyAddEstimate(w.D, x3, MultiplyAddEstimate(w.C, x2, MultiplyAddEstimate(w.B, x1, MultiplyAddEstimate(w.A, x0, c))));
            w = weights.Group(rows.D + first);
            d = MultiplyAddEstimate(w.D, x3, MultiplyAddEstimate(w.C, x2, MultiplyAddEstimate(w.B, x1, MultiplyAddEstimate(w.A, x0, d))));
        }

        return SumLanes(a, b, c, d);
    }

    /// <summary>The products of fp32 weights with four rows.</summary>
    /// <param name="w">The weights.</param>
    /// <param name="rows">Where their four rows begin.</param>
    /// <param name="x">Where the first row of inputs begins.</param>
    /// <param name="xStride">Floats from one row of inputs to the next.</param>
    /// <param name="columns">Numbers to sum; whole groups.</param>
    /// <returns>For each row of inputs the four weight rows' sums.</returns>
    internal static (Vector128<float> Row0, Vector128<float> Row1, Vector128<float> Row2, Vector128<float> Row3) Four(
        ref float w, FourRows rows, ref float x, int xStride, int columns)
    {
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
        ref float wa = ref Unsafe.Add(ref w, rows.A), wb = ref Unsafe.Add(ref w, rows.B), wc = ref Unsafe.Add(ref w, rows.C), wd = ref Unsafe.Add(ref w, rows.D);
        ref float x1 = ref Unsafe.Add(ref x, xStride), x2 = ref Unsafe.Add(ref x1, xStride), x3 = ref Unsafe.Add(ref x2, xStride);
        for (nuint i = 0; i < (nuint)columns; i += 16)
        {
            Vector512<float> u0 = LoadUnsafe(ref x, i), u1 = LoadUnsafe(ref x1, i), u2 = LoadUnsafe(ref x2, i), u3 = LoadUnsafe(ref x3, i);
            var u = LoadUnsafe(ref wa, i);
            a0 = MultiplyAddEstimate(u, u0, a0);
            a1 = MultiplyAddEstimate(u, u1, a1);
            a2 = MultiplyAddEstimate(u, u2, a2);
            a3 = MultiplyAddEstimate(u, u3, a3);
            u = LoadUnsafe(ref wb, i);
            b0 = MultiplyAddEstimate(u, u0, b0);
            b1 = MultiplyAddEstimate(u, u1, b1);
            b2 = MultiplyAddEstimate(u, u2, b2);
            b3 = MultiplyAddEstimate(u, u3, b3);
            u = LoadUnsafe(ref wc, i);
            c0 = MultiplyAddEstimate(u, u0, c0);
            c1 = MultiplyAddEstimate(u, u1, c1);
            c2 = MultiplyAddEstimate(u, u2, c2);
            c3 = MultiplyAddEstimate(u, u3, c3);
            u = LoadUnsafe(ref wd, i);
            d0 = MultiplyAddEstimate(u, u0, d0);
            d1 = MultiplyAddEstimate(u, u1, d1);
            d2 = MultiplyAddEstimate(u, u2, d2);
            d3 = MultiplyAddEstimate(u, u3, d3);
        }

        return (SumLanes(a0, b0, c0, d0), SumLanes(a1, b1, c1, d1), SumLanes(a2, b2, c2, d2), SumLanes(a3, b3, c3, d3));
    }

    // Lane l with l + 8, then with l + 4: four are left of each. Then the first with the third and the second with the fourth, and these two.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> SumLanes(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        Vector128<float> p = Quarter(a), q = Quarter(b), r = Quarter(c), s = Quarter(d);
        var ab = Sse.UnpackLow(p, q) + Sse.UnpackHigh(p, q);
        var cd = Sse.UnpackLow(r, s) + Sse.UnpackHigh(r, s);
        return Sse.MoveLowToHigh(ab, cd) + Sse.MoveHighToLow(cd, ab);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Quarter(Vector512<float> lanes)
    {
        var half = lanes.GetLower() + lanes.GetUpper();
        return half.GetLower() + half.GetUpper();
    }
}
