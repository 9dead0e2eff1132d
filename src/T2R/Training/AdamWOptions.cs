namespace T2R.Training;

/// <summary>AdamW (Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019).</summary>
public sealed record AdamWOptions
{
    /// <summary>The peak learning rate.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>Decay of the mean of gradients, a step.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the mean of squared gradients, a step.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the root of the mean square.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Pull of matrices toward zero, times the learning rate, a step; norms are never decayed unless a group says so.</summary>
    public double WeightDecay { get; init; } = 0.01;
}
