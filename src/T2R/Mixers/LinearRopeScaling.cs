using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>Position interpolation (Chen et al., 2023): every frequency is divided by the factor.</summary>
/// <param name="Factor">The factor.</param>
public sealed record LinearRopeScaling(double Factor) : RopeScaling(Factor)
{
    /// <inheritdoc />
    internal override Tensor Apply(Tensor frequency) => frequency / Factor;
}
