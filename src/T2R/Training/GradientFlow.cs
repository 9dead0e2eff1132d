using T2R.Interop.Cuda;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>
/// Where a backward's gradients go: into the sums of the step, or, when weights step in the backward, straight into the optimizer and away. Also where the memory of the
/// card is looked at, since this hears of every block.
/// </summary>
internal sealed class GradientFlow : IDisposable
{
    private readonly Gradients _gradients;
    private readonly IOptimizer? _optimizer;
    private readonly int? _card;
    private readonly Dictionary<string, Tensor> _early = [];
    private Tensor? _squares;

    /// <summary>Collects gradients, or steps at once.</summary>
    /// <param name="gradients">Holds them until the step, or for a moment.</param>
    /// <param name="optimizer">Steps in the backward; null when all gradients are wanted together.</param>
    /// <param name="device">Where the model is.</param>
    public GradientFlow(Gradients gradients, IOptimizer? optimizer, Device device)
    {
        (_gradients, _optimizer) = (gradients, optimizer);
        _card = device.type == TorchSharp.DeviceType.CUDA ? CudaDevice.IndexOf(device) : null;
    }

    /// <summary>Whether weights step in the backward.</summary>
    public bool StepsInBackward => _optimizer is not null;

    /// <summary>The most bytes of the card that were in use when looked at; 0 without a card.</summary>
    public long PeakBytes { get; private set; }

    /// <inheritdoc cref="Gradients.Add" />
    public void Add(string name, Tensor gradient)
    {
        _gradients.Add(name, gradient);
        if (_early.Remove(name, out var early))
        {
            _gradients.Add(name, early);
        }
    }

    /// <summary>Adds a contribution to a weight that gets another one later: a tied head's. The weight does not step before that one came.</summary>
    /// <inheritdoc cref="Gradients.Add" />
    public void AddEarly(string name, Tensor gradient)
    {
        if (_optimizer is null)
        {
            _gradients.Add(name, gradient);
        }
        else
        {
            _early.Add(name, gradient.DetachFromDisposeScope());
        }
    }

    /// <inheritdoc cref="Gradients.Take" />
    public void Take(IEnumerable<TrainedWeight> weights) => _gradients.Take(weights);

    /// <summary>Whether gradients are measured and dropped: for a backward that is run for its norm alone, where weights step in the backward.</summary>
    public bool OnlyMeasures { get; set; }

    /// <summary>Says whose gradients come next.</summary>
    public void Expect(IReadOnlyList<TrainedWeight> weights)
    {
        if (!OnlyMeasures)
        {
            _optimizer?.Expect(weights.Select(w => w.Name));
        }
    }

    /// <summary>Says that the gradients given so far are whole. When weights step in the backward, those do now.</summary>
    public void Flush()
    {
        if (_optimizer is null)
        {
            return;
        }

        using (NewDisposeScope())
        using (no_grad())
        {
            if (_gradients.SquaredNorm() is { } square)
            {
                _squares = _squares is null ? square.DetachFromDisposeScope() : _squares.add_(square);
            }
        }

        if (!OnlyMeasures)
        {
            _optimizer.Update(_gradients);
        }

        _gradients.Clear();
    }

    /// <summary>The norm of the step's gradients, all together; forgets it.</summary>
    public double Norm()
    {
        if (_optimizer is null)
        {
            using var square = _gradients.SquaredNorm();
            return Math.Sqrt(square?.item<double>() ?? 0);
        }

        double norm = Math.Sqrt(_squares?.item<double>() ?? 0);
        _squares?.Dispose();
        _squares = null;
        return norm;
    }

    /// <summary>Looks at the card's memory.</summary>
    public void Sample()
    {
        if (_card is { } card)
        {
            PeakBytes = Math.Max(PeakBytes, CudaMemory.Now(card).Used);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _squares?.Dispose();
        foreach (var early in _early.Values)
        {
            early.Dispose();
        }
    }
}
