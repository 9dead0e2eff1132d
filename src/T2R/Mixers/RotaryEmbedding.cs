using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>
/// Rotary positions (Su et al., RoFormer, 2021), in the half-split layout of Hugging Face checkpoints: channel c and channel c + d/2 are one plane,
/// turned by position · θ^(−2c/d).
/// </summary>
internal static class RotaryEmbedding
{
    /// <summary>Cosines and sines of positions offset … offset + length − 1, <c>[T, HeadDim]</c>; angles in fp32 as the published models had them.</summary>
    public static (Tensor Cos, Tensor Sin) Tables(double theta, int headDim, long offset, long length, ScalarType dtype, Device device)
    {
        using var scope = NewDisposeScope();
        var exponent = arange(0, headDim, 2, ScalarType.Float32, device) / headDim;
        var frequency = 1.0 / pow(tensor((float)theta, device: device), exponent);
        var position = arange(offset, offset + length, ScalarType.Float32, device);
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
