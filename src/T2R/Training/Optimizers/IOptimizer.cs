using static TorchSharp.torch;

namespace T2R.Training.Optimizers;

/// <summary>Moves weights against their gradients, in place. What it remembers can be saved and restored to the bit.</summary>
public interface IOptimizer : IDisposable
{
    /// <summary>Steps begun so far.</summary>
    long Steps { get; }

    /// <summary>What it remembers, by names that hold the weights' names, in a fixed order. The tensors are borrowed, on the weights' device or, offloaded, in host memory.</summary>
    IEnumerable<(string Name, Tensor Tensor)> State { get; }

    /// <summary>Begins a step.</summary>
    /// <param name="learningRate">Before the weights' multipliers.</param>
    /// <param name="gradientScale">Times every gradient, as clipping wants it.</param>
    void BeginStep(double learningRate, double gradientScale);

    /// <summary>Says that these weights are updated next, so that what is offloaded can be on its way meanwhile.</summary>
    /// <param name="names">T2R's names; those it does not train are passed over.</param>
    void Expect(IEnumerable<string> names);

    /// <summary>Moves the weights that have a gradient here, within the step begun; each weight at most once a step, in as many calls as the backward likes.</summary>
    /// <param name="gradients">Of the weights; may be disposed afterwards.</param>
    void Update(Gradients gradients);

    /// <summary>Ends the step: what is computed from here on sees the moved weights. Until then a card may still be moving them beside the caller's work.</summary>
    void EndStep();

    /// <summary>Goes on where another optimizer over the same weights stood.</summary>
    /// <param name="steps">Its <see cref="Steps"/>.</param>
    /// <param name="read">Yields each of its <see cref="State"/> tensors by name; copied.</param>
    void Restore(long steps, Func<string, Tensor> read);
}
