namespace T2R.Tests.Ops.Fp8;

/// <summary>
/// FP8 by the formats' definition (Micikevicius et al., 2022, table 1), number by number. With b the exponent's bias and p the mantissa's bits, a number with exponent e
/// stands between neighbours 2^(max(e, 1 − b) − p) apart.
/// </summary>
internal sealed record PlainFp8(int MantissaBits, int Bias, double Largest)
{
    public static readonly PlainFp8 E4M3 = new(3, 7, 448), E5M2 = new(2, 15, 57344);

    /// <summary>The nearest number, of two alike the one with an even mantissa; what is too large becomes the largest.</summary>
    public double Round(double x)
    {
        if (double.IsNaN(x) || x == 0)
        {
            return x;
        }

        double y = Math.Min(Math.Abs(x), Largest);
        double step = Math.ScaleB(1, Math.Max(Math.ILogB(y), 1 - Bias) - MantissaBits);
        return Math.CopySign(Math.Round(y / step, MidpointRounding.ToEven) * step, x);
    }
}
