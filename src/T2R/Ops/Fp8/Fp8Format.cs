using static TorchSharp.torch;

namespace T2R.Ops.Fp8;

/// <summary>A format of eight bits (Micikevicius et al., FP8 Formats for Deep Learning, 2022, table 1).</summary>
/// <param name="Dtype">libtorch's number of it, which TorchSharp 0.107 has no name for.</param>
/// <param name="Largest">The largest finite number.</param>
internal sealed record Fp8Format(ScalarType Dtype, float Largest)
{
    /// <summary>Four bits of exponent, three of mantissa, no infinity: for what products read in the forward. libtorch's <c>float8_e4m3fn</c>.</summary>
    public static Fp8Format E4M3 { get; } = new((ScalarType)24, 448);

    /// <summary>Five bits of exponent, two of mantissa: for gradients, which reach over more powers of two. libtorch's <c>float8_e5m2</c>.</summary>
    public static Fp8Format E5M2 { get; } = new((ScalarType)23, 57344);
}
