using T2R.Training;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Tests.Training.Optimizers;

/// <summary>
/// AdamW in float64, masters and moments, by torch's plainest operators: what the others are held against. Or, naive, with weights and moments that are rounded to
/// the nearest bf16 after each step: what they must be better than. Vectors stay exact.
/// </summary>
internal sealed class Float64AdamW(AdamWOptions options, IReadOnlyList<TrainedWeight> weights, bool naive) : IDisposable
{
    private readonly Dictionary<string, (Tensor P, Tensor M, Tensor V)> _held = weights.ToDictionary(
        w => w.Name,
        w => (w.Tensor.to(ScalarType.Float64).alias().DetachFromDisposeScope(), zeros_like(w.Tensor, ScalarType.Float64).DetachFromDisposeScope(), zeros_like(w.Tensor, ScalarType.Float64).DetachFromDisposeScope()));

    private int _steps;

    public void Step(Gradients gradients, double rate, double scale)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        _steps++;
        foreach (var weight in weights)
        {
            var (p, m, v) = _held[weight.Name];
            var g = gradients[weight.Name]!.to(ScalarType.Float64) * scale;
            m.mul_(options.Beta1).add_(g, alpha: 1 - options.Beta1);
            v.mul_(options.Beta2).addcmul_(g, g, value: 1 - options.Beta2);
            if (naive && weight.Tensor.dim() > 1)
            {
                m.copy_(m.to(ScalarType.BFloat16));
                v.copy_(v.to(ScalarType.BFloat16));
            }

            var ratio = m / (1 - Math.Pow(options.Beta1, _steps)) / ((v / (1 - Math.Pow(options.Beta2, _steps))).sqrt() + options.Epsilon);
            p.sub_((ratio * rate) + (p * (rate * weight.WeightDecay)));
            weight.Tensor.copy_(p);
            if (naive)
            {
                p.copy_(weight.Tensor);
            }
        }
    }

    public void Dispose()
    {
        foreach (var (p, m, v) in _held.Values)
        {
            p.Dispose();
            m.Dispose();
            v.Dispose();
        }
    }
}
