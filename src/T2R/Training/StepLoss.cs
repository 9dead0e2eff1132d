using static TorchSharp.torch;

namespace T2R.Training;

/// <summary>Losses that are still on the device: reading them waits for it, so that is done once a step.</summary>
internal sealed class StepLoss : IDisposable
{
    private readonly List<(string Name, double Weight, Tensor Value)> _parts = [];

    /// <summary>Adds a part.</summary>
    /// <param name="name">As in the metrics.</param>
    /// <param name="weight">How much it counts in the loss.</param>
    /// <param name="value">A scalar, taken over.</param>
    public void Add(string name, double weight, Tensor value) => _parts.Add((name, weight, value.DetachFromDisposeScope()));

    /// <summary>Means over micro-batches, part by part.</summary>
    public static (double Loss, IReadOnlyDictionary<string, double> Parts) Mean(IReadOnlyList<StepLoss> losses)
    {
        double total = 0;
        var parts = new OrderedDictionary<string, double>();
        foreach (var (name, weight, value) in losses.SelectMany(l => l._parts))
        {
            using var wide = value.to(ScalarType.Float64);
            double mean = wide.item<double>() / losses.Count;
            total += weight * mean;
            parts[name] = parts.GetValueOrDefault(name) + mean;
        }

        return (total, parts);
    }

    /// <inheritdoc />
    public void Dispose() => _parts.ForEach(p => p.Value.Dispose());
}
