using static TorchSharp.torch;

namespace T2R.Training.Optimizers;

/// <summary>Moves weights against their gradients, in place. What it remembers can be saved and restored to the bit.</summary>
public interface IOptimizer : IDisposable
{
    /// <summary>Steps taken so far.</summary>
    long Steps { get; }

    /// <summary>What it remembers, by names that hold the weights' names, in a fixed order. The tensors are borrowed.</summary>
    IEnumerable<(string Name, Tensor Tensor)> State { get; }

    /// <summary>Takes one step. Weights without a gradient stay as they are.</summary>
    /// <param name="gradients">Of the weights; may be scaled in place.</param>
    /// <param name="learningRate">Before the weights' multipliers.</param>
    /// <param name="gradientScale">Times every gradient, as clipping wants it.</param>
    void Update(Gradients gradients, double learningRate, double gradientScale);

    /// <summary>Goes on where another optimizer over the same weights stood.</summary>
    /// <param name="steps">Its <see cref="Steps"/>.</param>
    /// <param name="read">Yields each of its <see cref="State"/> tensors by name; copied.</param>
    void Restore(long steps, Func<string, Tensor> read);
}
