namespace T2R.Ops.AdamW;

/// <summary>
/// The constants of one step of one weight. With g the gradient times its scale, w the weight, t the step, per element and in fp32, each operation rounded by itself:
/// <code>
/// m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
/// w ← w − (lr · decay · w + lr · clamp(m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε), ±bound))
/// </code>
/// </summary>
internal readonly record struct AdamWStep
{
    /// <summary>β₁.</summary>
    public required float Beta1 { get; init; }

    /// <summary>1 − β₁.</summary>
    public required float Fresh1 { get; init; }

    /// <summary>β₂.</summary>
    public required float Beta2 { get; init; }

    /// <summary>1 − β₂.</summary>
    public required float Fresh2 { get; init; }

    /// <summary>1 / (1 − β₁ᵗ).</summary>
    public required float Correction1 { get; init; }

    /// <summary>1 / (1 − β₂ᵗ).</summary>
    public required float Correction2 { get; init; }

    /// <summary>ε.</summary>
    public required float Epsilon { get; init; }

    /// <summary>lr.</summary>
    public required float Rate { get; init; }

    /// <summary>lr · decay.</summary>
    public required float Decay { get; init; }

    /// <summary>What every gradient is multiplied by.</summary>
    public required float GradientScale { get; init; }

    /// <summary>The largest ratio of moments that exact arithmetic gives, so that only an error of rounding is cut; infinite for none.</summary>
    public required float Bound { get; init; }

    /// <summary>Decides the random bits: with it and an element's place they are given.</summary>
    public required ulong Key { get; init; }

    /// <summary>The constants, computed in fp64.</summary>
    /// <param name="step">t, from 1.</param>
    /// <param name="beta1">β₁.</param>
    /// <param name="beta2">β₂.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="learningRate">lr.</param>
    /// <param name="weightDecay">Decay, before the learning rate.</param>
    /// <param name="gradientScale">Times every gradient.</param>
    /// <param name="key">Of the random bits.</param>
    public static AdamWStep Of(long step, double beta1, double beta2, double epsilon, double learningRate, double weightDecay, double gradientScale, ulong key) => new()
    {
        Beta1 = (float)beta1,
        Fresh1 = (float)(1 - beta1),
        Beta2 = (float)beta2,
        Fresh2 = (float)(1 - beta2),
        Correction1 = (float)(1 / (1 - Math.Pow(beta1, step))),
        Correction2 = (float)(1 / (1 - Math.Pow(beta2, step))),
        Epsilon = (float)epsilon,
        Rate = (float)learningRate,
        Decay = (float)(learningRate * weightDecay),
        GradientScale = (float)gradientScale,
        Bound = (float)LargestRatio(step, beta1, beta2),
        Key = key,
    };

    /// <summary>
    /// The largest |m/(1 − β₁ᵗ)| / √(v/(1 − β₂ᵗ)) that any t gradients give. m is the scalar product of β₂^(i/2) g and (β₁/√β₂)^i times 1 − β₁, i counted back from the
    /// last, so by Cauchy and Schwarz |m| ≤ (1 − β₁) √(v/(1 − β₂)) √(Σ (β₁²/β₂)^i), and gradients in that proportion reach it.
    /// </summary>
    /// <param name="step">t, from 1.</param>
    /// <param name="beta1">β₁.</param>
    /// <param name="beta2">β₂.</param>
    internal static double LargestRatio(long step, double beta1, double beta2)
    {
        double q = beta1 == 0 ? 0 : beta1 * beta1 / beta2;
        double sum = q == 1 ? step : (Math.Pow(q, step) - 1) / (q - 1);
        double ratio = (1 - beta1) * Math.Sqrt(sum / (1 - beta2)) * Math.Sqrt(1 - Math.Pow(beta2, step)) / (1 - Math.Pow(beta1, step));
        return double.IsNaN(ratio) ? double.PositiveInfinity : ratio;
    }
}
