using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>How a model's rotary frequencies differ from θ^(−2c/d): stretched for texts longer than those it was first trained on.</summary>
/// <param name="Factor">How many times as long.</param>
public abstract record RopeScaling(double Factor)
{
    /// <summary>Frequencies in the fp32 arithmetic of the programs that trained such models.</summary>
    /// <param name="frequency">θ^(−2c/d) in fp32, <c>[HeadDim / 2]</c>.</param>
    internal abstract Tensor Apply(Tensor frequency);
}
