using T2R.Ops.Fp8;
using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>
/// A weight that maps inputs linearly, with or without a low-rank adapter beside it (Hu et al., LoRA, ICLR 2022): y = x Wᵀ + σ (x Aᵀ) Bᵀ.
/// </summary>
public sealed class Projection
{
    private readonly Func<Tensor> _weight;
    private readonly (Tensor A, Tensor B, double Scale)? _adapter;

    /// <summary>A plain one.</summary>
    /// <param name="weight">W, <c>[O, I]</c>.</param>
    /// <param name="adapter">A <c>[r, I]</c>, B <c>[O, r]</c> and σ; null for none.</param>
    public Projection(Tensor weight, (Tensor A, Tensor B, double Scale)? adapter = null) => (_weight, _adapter) = (() => weight, adapter);

    /// <summary>One whose weight is in few bits: they become numbers whenever it is applied, and never learn.</summary>
    /// <param name="weight">W, <c>[O, I]</c>.</param>
    /// <param name="dtype">Of its inputs.</param>
    public Projection(QuantizedWeight weight, ScalarType dtype) => _weight = () => weight.Dequantize(dtype);

    /// <summary>W, <c>[O, I]</c>; of one in few bits a copy that belongs to the current dispose scope.</summary>
    public Tensor Weight => _weight();

    /// <summary>Whether an adapter stands beside it.</summary>
    public bool HasAdapter => _adapter is not null;

    /// <summary>Maps <c>[…, I]</c> to <c>[…, O]</c>.</summary>
    /// <param name="x">In the weight's dtype.</param>
    /// <param name="tape">Keeps or gives x Wᵀ; null for neither.</param>
    /// <param name="product">Scales to multiply in FP8 with, where the sizes allow it; null for not.</param>
    public Tensor Apply(Tensor x, Tape? tape = null, Fp8Product? product = null) => Apply(x, [this], tape, product)[0];

    /// <summary>Maps one input by several projections, whose backward then sums its gradient in their products.</summary>
    /// <param name="x"><c>[…, I]</c>, in the weights' dtype.</param>
    /// <param name="projections">Which.</param>
    /// <param name="tape">Keeps or gives every x Wᵀ, in order; null for neither.</param>
    /// <param name="product">Scales to multiply in FP8 with, where the sizes allow it and no adapter stands beside; null for not.</param>
    /// <returns><c>[…, O]</c> each.</returns>
    public static IReadOnlyList<Tensor> Apply(Tensor x, IReadOnlyList<Projection> projections, Tape? tape = null, Fp8Product? product = null)
    {
        Tensor[] weights = [.. projections.Select(p => p.Weight)];
        return product is not null && Fp8Linear.Takes(x, weights)
            ? Fp8Linear.Apply(x, weights, product, tape)
            : [.. projections.Zip(Linear.Apply(x, weights, tape), (p, y) => p.WithAdapter(x, y))];
    }

    // y and what the adapter adds to it.
    private Tensor WithAdapter(Tensor x, Tensor y)
    {
        if (_adapter is not var (a, b, scale))
        {
            return y;
        }

        using var scope = NewDisposeScope();
        var low = nn.functional.linear(nn.functional.linear(x, a), b);
        using (y)
        {
            return y.add(low, alpha: scale).MoveToOuterDisposeScope();
        }
    }
}
