namespace T2R.Training;

/// <summary>AdamW (Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019).</summary>
public sealed record AdamWOptions
{
    /// <summary>Which of the AdamWs.</summary>
    public OptimizerName Name { get; init; }

    /// <summary>
    /// Whether each block's weights step, and their gradients go, as soon as its backward is done, so that the gradients of the whole model never exist together. Clipping
    /// then uses the norm of the step before, for this step's is known only when its weights have moved; a stage's first step runs its backward twice, once to measure.
    /// Excludes accumulation.
    /// </summary>
    public bool InBackward { get; init; }

    /// <summary>Whether the moments (and masters) lie in pinned host memory and pass through the card a few at a time, while it computes. Same bits, less device memory, slower.</summary>
    public bool Offload { get; init; }

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
