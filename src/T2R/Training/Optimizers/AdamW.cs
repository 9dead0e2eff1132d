using T2R.Ops.AdamW;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Training.Optimizers;

/// <summary>
/// AdamW under each of its names: one pass over weight, gradient and moments, in place. Under <see cref="OptimizerName.AdamW"/> a bf16 weight has an fp32 master, which is
/// what steps, and is its rounding; under the others it steps itself and is rounded stochastically, as Adam in pure bf16 stands still: a step of 1e-3 relative rounds
/// away. The random bits follow from step, name and place, so that a resumed run repeats them.
/// </summary>
public sealed class AdamW : IOptimizer
{
    private readonly AdamWOptions _options;
    private readonly List<Moments> _all = [];
    private readonly List<Moments> _resident = [];
    private readonly OffloadedMoments? _offloaded;
    private double _learningRate;
    private double _gradientScale = 1;

    /// <summary>Begins with moments of zero.</summary>
    /// <param name="options">The constants. Offload concerns matrices on a card; elsewhere it has no effect.</param>
    /// <param name="weights">What to train, all on one device; borrowed. Those that step must be fp32 or bf16.</param>
    /// <exception cref="DllNotFoundException">They are on a card, and there is no compiler for its kernels.</exception>
    /// <exception cref="InsufficientMemoryException">The system does not give the pinned memory that offloading needs.</exception>
    public AdamW(AdamWOptions options, IReadOnlyList<TrainedWeight> weights)
    {
        _options = options;
        if (weights.FirstOrDefault(w => w.Tensor.device_type == DeviceType.CUDA) is { } onCard)
        {
            CudaAdamW.Load(onCard.Tensor.device_index);
        }

        _offloaded = weights.Any(Leaves) ? new OffloadedMoments(options.Name, [.. weights.Where(Leaves)]) : null;
        try
        {
            foreach (var weight in weights)
            {
                _all.Add(_offloaded?.Of(weight.Name) ?? Resident(weight));
            }
        }
        catch
        {
            Dispose();
            throw;
        }

        Moments Resident(TrainedWeight w)
        {
            _resident.Add(new Moments(w, options.Name, (dtype, shape) => empty(shape, dtype, w.Tensor.device)));
            return _resident[^1];
        }

        bool Leaves(TrainedWeight w) => OptimizerMemory.Leaves(options, w.Tensor.shape.Length, w.Tensor.device_type == DeviceType.CUDA);
    }

    /// <inheritdoc />
    public long Steps { get; private set; }

    /// <inheritdoc />
    public IEnumerable<(string Name, Tensor Tensor)> State
    {
        get
        {
            _offloaded?.Settle();
            return _all.SelectMany(m => m.Named);
        }
    }

    /// <inheritdoc />
    public void BeginStep(double learningRate, double gradientScale)
    {
        Steps++;
        (_learningRate, _gradientScale) = (learningRate, gradientScale);
    }

    /// <inheritdoc />
    public void Expect(IEnumerable<string> names) => _offloaded?.Expect(names);

    /// <inheritdoc />
    public void Update(Gradients gradients)
    {
        ArgumentNullException.ThrowIfNull(gradients);
        using var _ = no_grad();
        AdamWOperator.Step(
            from moments in _resident
            let gradient = gradients[moments.Weight.Name]
            where gradient is not null
            select AdamWRange.Whole(moments.Weight.Tensor, gradient, moments.State, ConstantsOf(moments)));
        _offloaded?.Update(gradients, ConstantsOf);
    }

    /// <inheritdoc />
    public void EndStep() => _offloaded?.EndStep();

    /// <inheritdoc />
    public void Restore(long steps, Func<string, Tensor> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Steps = steps;
        foreach (var (name, held) in State)
        {
            held.copy_(read(name));
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _offloaded?.Dispose();
        _resident.ForEach(m => m.Dispose());
    }

    private AdamWStep ConstantsOf(Moments moments)
    {
        var step = AdamWStep.Of(
            Steps,
            _options.Beta1,
            _options.Beta2,
            _options.Epsilon,
            _learningRate * moments.Weight.LearningRateMultiplier,
            moments.Weight.WeightDecay,
            _gradientScale,
            moments.KeyOf(Steps));
        return moments.Layout.Format == MomentFormat.Float32 ? step with { Bound = float.PositiveInfinity } : step;
    }
}
