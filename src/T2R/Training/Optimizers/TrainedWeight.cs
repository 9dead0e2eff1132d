using static TorchSharp.torch;

namespace T2R.Training.Optimizers;

/// <summary>A weight as an optimizer sees it.</summary>
/// <param name="Name">T2R's name.</param>
/// <param name="Tensor">The weight; changed in place.</param>
/// <param name="LearningRateMultiplier">Times the step's learning rate.</param>
/// <param name="WeightDecay">Pull toward zero, times the learning rate.</param>
public sealed record TrainedWeight(string Name, Tensor Tensor, double LearningRateMultiplier, double WeightDecay);
