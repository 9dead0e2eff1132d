namespace T2R.Training;

/// <summary>How a stage over tokens follows the teacher (Hinton et al., Distilling the Knowledge in a Neural Network, 2015): (1 − w) · cross-entropy + w · τ² · KL.</summary>
public sealed record DistillationOptions
{
    /// <summary>w, from 0 (the text alone) to 1 (the teacher alone).</summary>
    public double Weight { get; init; } = 0.5;

    /// <summary>τ: both models' logits are divided by it before KL(teacher ‖ student).</summary>
    public double Temperature { get; init; } = 1;
}
