using System.Runtime.Intrinsics;
using static T2R.Ops.GatedSlot.CpuVector;

namespace T2R.Ops.Rows;

/// <summary>What stands between the products of a block, for one row of fp32.</summary>
internal static class RowMaps
{
    private const int Width = 8;

    /// <summary>y = x / √(mean x² + ε) ⊙ w (Zhang and Sennrich, 2019).</summary>
    /// <param name="x">The row, <c>[D]</c>.</param>
    /// <param name="weight">w, <c>[D]</c>.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="y">Receives the result; may be x.</param>
    internal static void RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, double epsilon, Span<float> y)
    {
        int whole = x.Length / Width * Width;
        var lanes = Vector256<float>.Zero;
        for (int i = 0; i < whole; i += Width)
        {
            var vector = Vector256.Create(x[i..]);
            lanes = MultiplyAdd(vector, vector, lanes);
        }

        double sum = Vector256.Sum(lanes);
        foreach (float number in x[whole..])
        {
            sum += number * number;
        }

        float inverse = (float)(1 / Math.Sqrt((sum / x.Length) + epsilon));
        for (int i = 0; i < whole; i += Width)
        {
            (Vector256.Create(x[i..]) * inverse * Vector256.Create(weight[i..])).CopyTo(y[i..]);
        }

        for (int i = whole; i < x.Length; i++)
        {
            y[i] = x[i] * inverse * weight[i];
        }
    }

    /// <summary>y = silu(x).</summary>
    /// <param name="x">Any numbers.</param>
    /// <param name="y">Receives as many; may be x.</param>
    internal static void Silu(ReadOnlySpan<float> x, Span<float> y)
    {
        int i = 0;
        for (; i <= x.Length - Width; i += Width)
        {
            Silu(Vector256.Create(x[i..])).CopyTo(y[i..]);
        }

        for (; i < x.Length; i++)
        {
            y[i] = Silu(Vector256.Create(x[i]))[0];
        }
    }

    /// <summary>x ← silu(x) ⊙ y.</summary>
    /// <param name="x">Any numbers.</param>
    /// <param name="y">As many.</param>
    internal static void SiluTimes(Span<float> x, ReadOnlySpan<float> y)
    {
        int i = 0;
        for (; i <= x.Length - Width; i += Width)
        {
            (Silu(Vector256.Create<float>(x[i..])) * Vector256.Create(y[i..])).CopyTo(x[i..]);
        }

        for (; i < x.Length; i++)
        {
            x[i] = Silu(Vector256.Create(x[i]))[0] * y[i];
        }
    }

    /// <summary>The gates of logits f: the log forget gate is g = logsigmoid(f) / τ. Computed in fp64, so that a gate that hardly forgets still writes what it should.</summary>
    /// <param name="f">The logits, <c>[M]</c>.</param>
    /// <param name="normalizer">τ.</param>
    /// <param name="decay">Receives exp(g).</param>
    /// <param name="write">Receives 1 − exp(g).</param>
    internal static void Gates(ReadOnlySpan<float> f, double normalizer, Span<float> decay, Span<float> write)
    {
        int i = 0;
        for (; i <= f.Length - Width; i += Width)
        {
            var (low, high) = Vector256.Widen(Vector256.Create(f[i..]));
            var (d, s) = Gates(Vector512.Create(low, high), normalizer);
            Vector256.Narrow(d.GetLower(), d.GetUpper()).CopyTo(decay[i..]);
            Vector256.Narrow(s.GetLower(), s.GetUpper()).CopyTo(write[i..]);
        }

        for (; i < f.Length; i++)
        {
            var (d, s) = Gates(Vector512.Create((double)f[i]), normalizer);
            (decay[i], write[i]) = ((float)d[0], (float)s[0]);
        }
    }

    // x σ(x), with exp of no positive number.
    private static Vector256<float> Silu(Vector256<float> x)
    {
        var e = Exp(-Vector256.Abs(x));
        return x * Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256<float>.Zero), e, Vector256<float>.One) / (e + Vector256<float>.One);
    }

    private static (Vector512<double> Decay, Vector512<double> Write) Gates(Vector512<double> f, double normalizer)
    {
        var e = Vector512.Exp(-Vector512.Abs(f));
        var g = (Vector512.Min(f, Vector512<double>.Zero) - LogOnePlus(e)) / normalizer;
        var decay = Vector512.Exp(g);

        // −expm1(g): where 1 − exp(g) would lose digits, the first terms of its series.
        var series = -g * (Vector512<double>.One + (g * (Vector512.Create(0.5) + (g * (1.0 / 6)))));
        return (decay, Vector512.ConditionalSelect(Vector512.GreaterThan(g, Vector512.Create(-1e-4)), series, Vector512<double>.One - decay));
    }

    // log(1 + e) = log(u) · e / (u − 1) with u = 1 + e as it is rounded (Kahan; Goldberg, 1991, theorem 4).
    private static Vector512<double> LogOnePlus(Vector512<double> e)
    {
        var u = Vector512<double>.One + e;
        var rounded = u - Vector512<double>.One;
        return Vector512.ConditionalSelect(Vector512.Equals(rounded, Vector512<double>.Zero), e, Vector512.Log(u) * e / rounded);
    }
}
