using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>Products of <see cref="SwiGlu"/> in the weights' own type. On a card in 16 bits what stands between them are the kernels of <c>SwiGlu.cu</c>.</summary>
/// <param name="gate">W_g, <c>[I, D]</c>.</param>
/// <param name="up">W_u, <c>[I, D]</c>.</param>
/// <param name="down">W_d, <c>[D, I]</c>.</param>
internal sealed class PlainSwiGluProducts(Tensor gate, Tensor up, Tensor down) : ISwiGluProducts
{
    private Tensor? _gateGradient, _upGradient, _downGradient;

    /// <inheritdoc />
    public long RowMultiple => 1;

    /// <inheritdoc />
    public Tensor? GateGradient => _gateGradient;

    /// <inheritdoc />
    public Tensor? UpGradient => _upGradient;

    /// <inheritdoc />
    public Tensor? DownGradient => _downGradient;

    /// <inheritdoc />
    public (Tensor Gate, Tensor Up) Wide(Tensor n_nD) => (nn.functional.linear(n_nD, gate), nn.functional.linear(n_nD, up));

    /// <inheritdoc />
    public void AddDown(Tensor a_nI, Tensor b_nI, Tensor y_nD, bool overwrites)
    {
        using var h_nI = GatedProduct.Compute(a_nI, b_nI, overwrites);
        y_nD.addmm_(h_nI, down.t(), 1, 1);
    }

    /// <inheritdoc />
    public Tensor Backward(Tensor n_nD, Tensor a_nI, Tensor b_nI, Tensor dy_nD, bool overwrites)
    {
        var (da_nI, db_nI) = CudaSwiGlu.Takes(a_nI, gate.shape[0]) ? ByKernels(a_nI, b_nI, dy_nD, overwrites) : ByTensors(a_nI, b_nI, dy_nD);
        if (gate.requires_grad)
        {
            Linear.AccumulateWeightGradient(ref _gateGradient, da_nI, n_nD);
        }

        if (up.requires_grad)
        {
            Linear.AccumulateWeightGradient(ref _upGradient, db_nI, n_nD);
        }

        var dn_nD = da_nI.matmul(gate).addmm_(db_nI, up, 1, 1);
        da_nI.Dispose();
        db_nI.Dispose();
        return dn_nD;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        // The gradients are the caller's.
    }

    private (Tensor Gate, Tensor Up) ByKernels(Tensor a_nI, Tensor b_nI, Tensor dy_nD, bool overwrites)
    {
        var dh_nI = dy_nD.matmul(down);
        var (da_nI, db_nI, h_nI) = GatedProduct.Differentiate(a_nI, b_nI, dh_nI, down.requires_grad, overwrites);
        if (h_nI is not null)
        {
            Linear.AccumulateWeightGradient(ref _downGradient, dy_nD, h_nI);
        }

        dh_nI.Dispose();
        return (da_nI, db_nI);
    }

    private (Tensor Gate, Tensor Up) ByTensors(Tensor a_nI, Tensor b_nI, Tensor dy_nD)
    {
        var silu_nI = nn.functional.silu(a_nI);
        if (down.requires_grad)
        {
            using var h_nI = silu_nI * b_nI;
            Linear.AccumulateWeightGradient(ref _downGradient, dy_nD, h_nI);
        }

        var dh_nI = dy_nD.matmul(down);
        var db_nI = silu_nI.mul_(dh_nI);
        dh_nI.mul_(b_nI);
        b_nI.Dispose();
        var da_nI = Dispatcher.SiluBackward(dh_nI, a_nI);
        a_nI.Dispose();
        dh_nI.Dispose();
        return (da_nI, db_nI);
    }
}
