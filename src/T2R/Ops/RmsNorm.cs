using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>Root-mean-square norm (Zhang and Sennrich, 2019): x / √(mean x² + ε) · weight, over the last axis.</summary>
public static class RmsNorm
{
    /// <summary>Normalises; statistics in fp32 at least, the result in the input's dtype.</summary>
    /// <param name="x">Any shape, last axis D.</param>
    /// <param name="weight"><c>[D]</c>.</param>
    /// <param name="epsilon">ε.</param>
    public static Tensor Apply(Tensor x, Tensor weight, double epsilon)
    {
        using var scope = NewDisposeScope();
        var wide = x.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? x.to(ScalarType.Float32) : x;
        var inverse = (wide.square().mean([-1], keepdim: true) + epsilon).rsqrt();
        return (wide * inverse * weight).to(x.dtype).MoveToOuterDisposeScope();
    }
}
