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
    /// <summary>The products with one row.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="rows">Where their four rows begin.</param>
    /// <param name="x">Where the inputs begin.</param>
    /// <param name="columns">Numbers to sum: a multiple of 16, and of the groups of a format that shares scales.</param>
    /// <returns>The four weight rows' sums.</returns>
    internal static Vector128<float> One<TFormat>(TFormat weights, FourRows rows, ref float x, int columns)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        for (int first = 0; first < columns; first += TFormat.GroupLength)
        {
            var (at, end) = (rows + first, (nuint)Math.Min(TFormat.GroupLength, columns - first));
            WeightGroup p = weights.Group(at.A), q = weights.Group(at.B), r = weights.Group(at.C), s = weights.Group(at.D);
            ref float x0 = ref Unsafe.Add(ref x, first);
            for (nuint i = 0; i < end; i += 16)
            {
                var u = LoadUnsafe(ref x0, i);
                a = MultiplyAddEstimate(TFormat.Load(p, i), u, a);
                b = MultiplyAddEstimate(TFormat.Load(q, i), u, b);
                c = MultiplyAddEstimate(TFormat.Load(r, i), u, c);
                d = MultiplyAddEstimate(TFormat.Load(s, i), u, d);
            }
        }

        return SumLanes(a, b, c, d);
    }

    /// <summary>The products with four rows.</summary>
    /// <inheritdoc cref="One" />
    /// <param name="weights">The weights.</param>
    /// <param name="rows">Where their four rows begin.</param>
    /// <param name="x">Where the first row of inputs begins.</param>
    /// <param name="stride">Floats from one row of inputs to the next.</param>
    /// <param name="columns">As for one row.</param>
    /// <returns>For each row of inputs the four weight rows' sums.</returns>
    internal static (Vector128<float> Row0, Vector128<float> Row1, Vector128<float> Row2, Vector128<float> Row3) Four<TFormat>(
        TFormat weights, FourRows rows, ref float x, int stride, int columns)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
        for (int first = 0; first < columns; first += TFormat.GroupLength)
        {
            var (at, end) = (rows + first, (nuint)Math.Min(TFormat.GroupLength, columns - first));
            WeightGroup p = weights.Group(at.A), q = weights.Group(at.B), r = weights.Group(at.C), s = weights.Group(at.D);
            ref float x0 = ref Unsafe.Add(ref x, first);
            ref float x1 = ref Unsafe.Add(ref x0, stride);
            ref float x2 = ref Unsafe.Add(ref x1, stride);
            ref float x3 = ref Unsafe.Add(ref x2, stride);
            for (nuint i = 0; i < end; i += 16)
            {
                Vector512<float> u0 = LoadUnsafe(ref x0, i), u1 = LoadUnsafe(ref x1, i), u2 = LoadUnsafe(ref x2, i), u3 = LoadUnsafe(ref x3, i);
                var w = TFormat.Load(p, i);
                a0 = MultiplyAddEstimate(w, u0, a0);
                a1 = MultiplyAddEstimate(w, u1, a1);
                a2 = MultiplyAddEstimate(w, u2, a2);
                a3 = MultiplyAddEstimate(w, u3, a3);
                w = TFormat.Load(q, i);
                b0 = MultiplyAddEstimate(w, u0, b0);
                b1 = MultiplyAddEstimate(w, u1, b1);
                b2 = MultiplyAddEstimate(w, u2, b2);
                b3 = MultiplyAddEstimate(w, u3, b3);
                w = TFormat.Load(r, i);
                c0 = MultiplyAddEstimate(w, u0, c0);
                c1 = MultiplyAddEstimate(w, u1, c1);
                c2 = MultiplyAddEstimate(w, u2, c2);
                c3 = MultiplyAddEstimate(w, u3, c3);
                w = TFormat.Load(s, i);
                d0 = MultiplyAddEstimate(w, u0, d0);
                d1 = MultiplyAddEstimate(w, u1, d1);
                d2 = MultiplyAddEstimate(w, u2, d2);
                d3 = MultiplyAddEstimate(w, u3, d3);
            }
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
