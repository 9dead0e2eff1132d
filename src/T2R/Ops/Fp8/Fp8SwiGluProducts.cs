using static TorchSharp.torch;

namespace T2R.Ops.Fp8;

/// <summary>
/// Products of <see cref="SwiGlu"/> in FP8. The weights are rounded once for all rows. Gate and up share scales: their gradients are rounded side by side, so that one
/// product gives dn and one both weights' gradients.
/// </summary>
internal sealed class Fp8SwiGluProducts : ISwiGluProducts
{
    private readonly Fp8Product _input, _output;
    private readonly Tensor[] _wide, _down;
    private Fp8Matrix? _wide_ID, _wide_DI, _down_DI, _down_ID;
    private Tensor? _gateGradient, _upGradient, _downGradient;

    /// <summary>Products of a block.</summary>
    /// <param name="gate">W_g, <c>[I, D]</c>.</param>
    /// <param name="up">W_u, <c>[I, D]</c>.</param>
    /// <param name="down">W_d, <c>[D, I]</c>.</param>
    /// <param name="scales">The block's.</param>
    public Fp8SwiGluProducts(Tensor gate, Tensor up, Tensor down, Fp8Layer scales)
    {
        (_input, _output, _wide, _down) = (scales.MlpInput, scales.MlpOutput, [gate, up], [down]);
    }

    /// <inheritdoc />
    public long RowMultiple => Fp8Product.Multiple;

    /// <inheritdoc />
    public Tensor? GateGradient => _gateGradient;

    /// <inheritdoc />
    public Tensor? UpGradient => _upGradient;

    /// <inheritdoc />
    public Tensor? DownGradient => _downGradient;

    /// <summary>Whether products have sizes that they can have in FP8.</summary>
    /// <param name="x_ND">What the norm before them reads.</param>
    /// <param name="gate">W_g.</param>
    public static bool Takes(Tensor x_ND, Tensor gate) => Fp8Product.Fits(x_ND.shape[0], x_ND.shape[1], gate.shape[0]);

    /// <inheritdoc />
    public (Tensor Gate, Tensor Up) Wide(Tensor n_nD)
    {
        using var rounded_nD = Fp8Cast.Straight(n_nD, _input.Input);
        var weights_ID = Kept(ref _wide_ID, _wide, _input, transposes: false);
        long inner = _wide[0].shape[0];
        return (Half(0), Half(inner));

        // Apart, so that each is dense.
        Tensor Half(long start)
        {
            using var weight_ID = weights_ID.Rows(start, inner);
            return Fp8Product.Output(rounded_nD, weight_ID, n_nD.dtype);
        }
    }

    /// <inheritdoc />
    public void AddDown(Tensor a_nI, Tensor b_nI, Tensor y_nD, bool overwrites)
    {
        using var h_nI = GatedProduct.Compute(a_nI, b_nI, overwrites);
        using var rounded_nI = Fp8Cast.Straight(h_nI, _output.Input);
        using var added_nD = Fp8Product.Output(rounded_nI, Kept(ref _down_DI, _down, _output, transposes: false), y_nD.dtype);
        y_nD.add_(added_nD);
    }

    /// <inheritdoc />
    public Tensor Backward(Tensor n_nD, Tensor a_nI, Tensor b_nI, Tensor dy_nD, bool overwrites)
    {
        var (dRounded_nD, dRounded_Dn) = Fp8Cast.Beside([dy_nD], _output.Gradient);
        var dh_nI = Fp8Product.InputGradient(dRounded_nD, Kept(ref _down_ID, _down, _output, transposes: true), n_nD.dtype);
        dRounded_nD.Dispose();
        var (da_nI, db_nI, h_nI) = GatedProduct.Differentiate(a_nI, b_nI, dh_nI, _down[0].requires_grad, overwrites);
        if (h_nI is not null)
        {
            Add(ref _downGradient, _output.WeightGradients(_down, dRounded_Dn, h_nI)[0]);
        }

        dh_nI.Dispose();
        h_nI?.Dispose();
        dRounded_Dn.Dispose();
        var (dWide_nI, dWide_In) = Fp8Cast.Beside([da_nI, db_nI], _input.Gradient);
        da_nI.Dispose();
        db_nI.Dispose();
        var dn_nD = Fp8Product.InputGradient(dWide_nI, Kept(ref _wide_DI, _wide, _input, transposes: true), n_nD.dtype);
        dWide_nI.Dispose();
        var shares = _input.WeightGradients(_wide, dWide_In, n_nD);
        Add(ref _gateGradient, shares[0]);
        Add(ref _upGradient, shares[1]);
        dWide_In.Dispose();
        return dn_nD;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var weights in new[] { _wide_ID, _wide_DI, _down_DI, _down_ID })
        {
            weights?.Dispose();
        }
    }

    private static Fp8Matrix Kept(ref Fp8Matrix? rounded, IReadOnlyList<Tensor> weights, Fp8Product product, bool transposes)
    {
        if (rounded is null)
        {
            rounded = product.Weights(weights, transposes);
            rounded.Values.DetachFromDisposeScope();
        }

        return rounded;
    }

    private static void Add(ref Tensor? sum, Tensor? share)
    {
        if (sum is null)
        {
            sum = share?.MoveToOuterDisposeScope();
        }
        else
        {
            sum.add_(share!);
        }
    }
}
