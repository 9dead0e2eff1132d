using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Training.Optimizers;

/// <summary>
/// AdamW, fused: one pass over weight, gradient and moments. Moments are fp32; a weight in a half type has an fp32 master, which is what steps, and the weight is its
/// rounding. (Adam in pure bf16 stands still: a step of 1e-3 relative rounds away.)
/// </summary>
public sealed class AdamW : IOptimizer
{
    private readonly AdamWOptions _options;
    private readonly List<Slot> _slots;
    private readonly Device _device;
    private double _learningRate;
    private double _gradientScale = 1;

    /// <summary>Begins with moments of zero.</summary>
    /// <param name="options">The constants.</param>
    /// <param name="weights">What to train, all on one device; borrowed.</param>
    public AdamW(AdamWOptions options, IReadOnlyList<TrainedWeight> weights)
    {
        _options = options;
        _slots = [.. weights.Select(w => new Slot(w))];
        _device = weights.Count > 0 ? weights[0].Tensor.device : CPU;
    }

    /// <inheritdoc />
    public long Steps { get; private set; }

    /// <inheritdoc />
    public IEnumerable<(string Name, Tensor Tensor)> State => _slots.SelectMany(s => s.Tensors());

    /// <inheritdoc />
    public void BeginStep(double learningRate, double gradientScale)
    {
        Steps++;
        (_learningRate, _gradientScale) = (learningRate, gradientScale);
    }

    /// <inheritdoc />
    public void Expect(IEnumerable<string> names)
    {
        // Everything is in place.
    }

    /// <inheritdoc />
    public void Update(Gradients gradients)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var step = tensor((float)Steps, device: _device);
        using var divisor = _gradientScale == 1 ? null : tensor((float)(1 / _gradientScale), device: _device);

        var moving = _slots.Where(s => gradients[s.Weight.Name] is not null).ToList();
        foreach (var group in moving.Where(s => s.Master is null).GroupBy(s => (s.Weight.LearningRateMultiplier, s.Weight.WeightDecay)))
        {
            var slots = group.ToArray();
            Fused(slots, [.. slots.Select(s => gradients[s.Weight.Name]!)]);
        }

        // One at a time, so that one fp32 copy of a gradient exists at a time.
        foreach (var slot in moving.Where(s => s.Master is not null))
        {
            var gradient = gradients[slot.Weight.Name]!;
            using var wide = gradient.dtype == ScalarType.Float32 ? gradient.alias() : gradient.to(ScalarType.Float32);
            Fused([slot], [wide]);
            slot.Weight.Tensor.copy_(slot.Master!);
        }

        void Fused(Slot[] slots, Tensor[] wide) => Dispatcher.FusedAdamW(
            [.. slots.Select(s => s.Master ?? s.Weight.Tensor)], wide, [.. slots.Select(s => s.Mean)], [.. slots.Select(s => s.Square)], step,
            _learningRate * slots[0].Weight.LearningRateMultiplier, _options.Beta1, _options.Beta2, slots[0].Weight.WeightDecay, _options.Epsilon, divisor);
    }

    /// <inheritdoc />
    public void EndStep()
    {
        // Each update was done in its place.
    }

    /// <inheritdoc />
    public void Restore(long steps, Func<string, Tensor> read)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Steps = steps;
        foreach (var (name, held) in State)
        {
            held.copy_(read(name));
        }
    }

    /// <inheritdoc />
    public void Dispose() => _slots.ForEach(s => s.Dispose());

    private sealed class Slot : IDisposable
    {
        internal Slot(TrainedWeight weight)
        {
            using var _ = no_grad();
            Weight = weight;
            bool half = weight.Tensor.dtype is ScalarType.BFloat16 or ScalarType.Float16;
            Master = half ? weight.Tensor.detach().to(ScalarType.Float32).DetachFromDisposeScope() : null;
            Mean = zeros_like(Master ?? weight.Tensor).DetachFromDisposeScope();
            Square = zeros_like(Mean).DetachFromDisposeScope();
        }

        internal TrainedWeight Weight { get; }

        internal Tensor? Master { get; }

        internal Tensor Mean { get; }

        internal Tensor Square { get; }

        internal IEnumerable<(string Name, Tensor Tensor)> Tensors()
        {
            yield return ($"mean.{Weight.Name}", Mean);
            yield return ($"square.{Weight.Name}", Square);
            if (Master is not null)
            {
                yield return ($"master.{Weight.Name}", Master);
            }
        }

        public void Dispose()
        {
            Master?.Dispose();
            Mean.Dispose();
            Square.Dispose();
        }
    }
}
