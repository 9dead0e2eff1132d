namespace T2R.Training;

/// <summary>An exception for weights by name.</summary>
/// <param name="Pattern">A name of T2R's, where <c>*</c> stands for any characters: <c>blocks.*.mixer.f_proj.weight</c>.</param>
public sealed record ParameterGroup(string Pattern)
{
    /// <summary>Times the learning rate.</summary>
    public double LearningRateMultiplier { get; init; } = 1;

    /// <summary>Instead of the optimizer's weight decay; null leaves that as it is.</summary>
    public double? WeightDecay { get; init; }

    /// <summary>Whether the weights stay as they are in every stage.</summary>
    public bool Frozen { get; init; }
}
