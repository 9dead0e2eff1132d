using static TorchSharp.torch;

namespace T2R.Generation.Decoding;

/// <summary>
/// Powers of two for what the kernels of <c>Ops/Decode</c> write before a norm has divided it, x ∘ w: it is rounded to 16 bits, and in fp16 these hold nothing below 6e-8 or above 65504. Who reads it
/// divides by the same power.
/// </summary>
internal static class NormScale
{
    /// <summary>For silu of the operator's output, whose numbers are of the size 0.001 to 100.</summary>
    public const float OfMixed = 16;

    /// <summary>For a norm of the residual stream: so that numbers up to 8 000 stay in range.</summary>
    /// <param name="norm">Its weight.</param>
    public static float Of(Tensor norm)
    {
        using var scope = NewDisposeScope();
        return (float)Math.Pow(2, Math.Min(0, Math.Floor(Math.Log2(8 / Math.Max(1e-30, norm.abs().max().item<float>())))));
    }

    /// <summary>For the first norm, which reads the embedding: its rows are often some thousandths, and so is this norm's weight.</summary>
    /// <param name="norm">Its weight.</param>
    /// <param name="embedding"><c>[V, D]</c>, of which some rows are looked at.</param>
    public static float OfFirst(Tensor norm, Tensor embedding)
    {
        using var scope = NewDisposeScope();
        var some = embedding.slice(0, 0, embedding.shape[0], Math.Max(1, embedding.shape[0] / 1024)).to(ScalarType.Float32);
        double size = Math.Sqrt(some.square().mean().item<float>() * (double)norm.square().mean().item<float>());
        return (float)Math.Pow(2, Math.Clamp(Math.Round(-Math.Log2(size)), -24, 24));
    }
}
