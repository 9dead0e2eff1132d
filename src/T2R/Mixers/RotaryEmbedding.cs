using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>
/// Rotary positions (Su et al., RoFormer, 2021), in the half-split layout of Hugging Face checkpoints: channel c and channel c + d/2 are one plane,
/// turned by position · frequency, θ^(−2c/d) unless scaled.
/// </summary>
internal static class RotaryEmbedding
{
    /// <summary>Radians a position, <c>[HeadDim / 2]</c>, in fp32 as the published models had them.</summary>
    public static Tensor Frequencies(double theta, RopeScaling? scaling, int headDim, Device device)
    {
        using var scope = NewDisposeScope();
        var exponent = arange(0, headDim, 2, ScalarType.Float32, device) / headDim;
        var frequency = 1.0 / pow(tensor((float)theta, device: device), exponent);
        return (scaling?.Apply(frequency) ?? frequency).MoveToOuterDisposeScope();
    }

    /// <summary>Cosines and sines of positions offset … offset + length − 1, <c>[T, HeadDim]</c>; takes the frequencies over.</summary>
    public static (Tensor Cos, Tensor Sin) Tables(Tensor frequency, long offset, long length, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        scope.Attach(frequency);
        var position = arange(offset, offset + length, ScalarType.Float32, frequency.device);
        var angle = outer(position, frequency);
        angle = cat([angle, angle], -1);
        return (angle.cos().to(dtype).MoveToOuterDisposeScope(), angle.sin().to(dtype).MoveToOuterDisposeScope());
    }

    /// <summary>Turns queries or keys <c>[B, T, H, d]</c> by tables <c>[T, d]</c>.</summary>
    public static Tensor Apply(Tensor x_BTHd, Tensor cos, Tensor sin)
    {
        var halves = x_BTHd.chunk(2, -1);
        var turned = cat([-halves[1], halves[0]], -1);
        return (x_BTHd * cos.unsqueeze(1)) + (turned * sin.unsqueeze(1));
    }
}
