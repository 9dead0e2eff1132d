using T2R.Data;

namespace T2R.Training;

/// <summary>What a stage minimises, with its gradients.</summary>
internal interface IStageLoss : IDisposable
{
    /// <summary>Runs a micro-batch forward and backward; the gradients go to the step's <see cref="GradientFlow"/>.</summary>
    /// <param name="batch">The windows.</param>
    /// <param name="scale">Times the loss before its gradient is taken: 1 over the number of micro-batches.</param>
    /// <returns>The losses of this micro-batch, not scaled.</returns>
    StepLoss Backward(Batch batch, double scale);
}
