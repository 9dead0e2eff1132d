using static TorchSharp.torch;

namespace T2R.Mixers;

/// <summary>
/// Llama 3.1's scaling by wavelength λ = 2π / f (Grattafiori et al., The Llama 3 Herd of Models, 2024; transformers, modeling_rope_utils.py). With L the original
/// length: λ &lt; L / high keeps f, λ > L / low divides it by the factor, and between them s = (L / λ − low) / (high − low) blends: (1 − s) · f / factor + s · f.
/// </summary>
/// <param name="Factor">How much the lowest frequencies are slowed.</param>
/// <param name="LowFrequencyFactor">Wavelengths above L over this are long.</param>
/// <param name="HighFrequencyFactor">Wavelengths below L over this are short; above <paramref name="LowFrequencyFactor"/>.</param>
/// <param name="OriginalPositions">L, positions the model was first trained on.</param>
public sealed record Llama3RopeScaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalPositions) : RopeScaling(Factor)
{
    /// <inheritdoc />
    internal override Tensor Apply(Tensor frequency)
    {
        var wavelength = 2 * Math.PI / frequency;
        var blend = ((OriginalPositions / wavelength) - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor);
        var between = ((1 - blend) * frequency / Factor) + (blend * frequency);
        var slowed = where(wavelength > OriginalPositions / LowFrequencyFactor, frequency / Factor, between);
        return where(wavelength < OriginalPositions / HighFrequencyFactor, frequency, slowed);
    }
}
