namespace T2R.Training;

/// <summary>What a step found before its weights moved; where they step in the backward, while they did.</summary>
/// <param name="Loss">The mean over its micro-batches.</param>
/// <param name="Parts">The loss's parts by name, likewise.</param>
/// <param name="Norm">Of the gradients, all together, before clipping.</param>
internal readonly record struct StepResult(double Loss, IReadOnlyDictionary<string, double> Parts, double Norm);
