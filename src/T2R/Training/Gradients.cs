using T2R.Ops;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>
/// The gradients of one step by weight name: every gradient passes here on its way from a backward to the optimizer. A single contribution keeps its dtype; a sum
/// of several is fp32 at least.
/// </summary>
public sealed class Gradients : IDisposable
{
    private readonly Dictionary<string, Tensor> _sums = [];

    /// <summary>The gradient of a weight, or null when none came.</summary>
    /// <param name="name">T2R's name.</param>
    public Tensor? this[string name] => _sums.GetValueOrDefault(name);

    /// <summary>Adds a contribution.</summary>
    /// <param name="name">T2R's name of the weight.</param>
    /// <param name="gradient">Taken over.</param>
    public void Add(string name, Tensor gradient)
    {
        if (!_sums.TryGetValue(name, out var sum))
        {
            _sums.Add(name, gradient.DetachFromDisposeScope());
            return;
        }

        using var _ = no_grad();
        Wide(name, sum).add_(gradient);
        gradient.Dispose();
    }

    /// <summary>Takes what a backward left on weights.</summary>
    /// <param name="weights">The weights; afterwards their <c>grad</c> is null.</param>
    public void Take(IEnumerable<TrainedWeight> weights)
    {
        foreach (var weight in weights)
        {
            if (weight.Tensor.grad is { } gradient)
            {
                weight.Tensor.grad = null;
                Add(weight.Name, gradient);
            }
        }
    }

    /// <summary>The sum of all squares, an fp64 scalar on the device, or null when there are no gradients; squares are summed in fp32 within a tensor and in fp64 over tensors.</summary>
    public Tensor? SquaredNorm() => _sums.Count == 0 ? null : SumOfSquares.Of(_sums.Values);

    /// <summary>Forgets all, for the next step.</summary>
    public void Clear()
    {
        foreach (var sum in _sums.Values)
        {
            sum.Dispose();
        }

        _sums.Clear();
    }

    /// <inheritdoc />
    public void Dispose() => Clear();

    private Tensor Wide(string name, Tensor sum)
    {
        if (sum.dtype == Accumulator(sum.dtype))
        {
            return sum;
        }

        _sums[name] = sum.to(Accumulator(sum.dtype)).DetachFromDisposeScope();
        sum.Dispose();
        return _sums[name];
    }

    private static ScalarType Accumulator(ScalarType dtype) => dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
}
