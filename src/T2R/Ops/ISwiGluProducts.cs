using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>The products of <see cref="SwiGlu"/> and what stands between them, for some rows at a time; in the backward also the sums of the weights' gradients.</summary>
internal interface ISwiGluProducts : IDisposable
{
    /// <summary>What the number of rows taken at once is a multiple of.</summary>
    long RowMultiple { get; }

    /// <summary>dW_g of all rows so far; null where it is frozen. It belongs to the dispose scope around that of the rows.</summary>
    Tensor? GateGradient { get; }

    /// <summary>dW_u, likewise.</summary>
    Tensor? UpGradient { get; }

    /// <summary>dW_d, likewise.</summary>
    Tensor? DownGradient { get; }

    /// <summary>a = n W_gᵀ and b = n W_uᵀ, both dense.</summary>
    /// <param name="n_nD">n.</param>
    (Tensor Gate, Tensor Up) Wide(Tensor n_nD);

    /// <summary>y ← y + (silu(a) ⊙ b) W_dᵀ.</summary>
    /// <param name="a_nI">a.</param>
    /// <param name="b_nI">b.</param>
    /// <param name="y_nD">y.</param>
    /// <param name="overwrites">Whether a's memory may be taken; it is done with then.</param>
    void AddDown(Tensor a_nI, Tensor b_nI, Tensor y_nD, bool overwrites);

    /// <summary>The backward: adds these rows' share of the weights' gradients.</summary>
    /// <param name="n_nD">n.</param>
    /// <param name="a_nI">a; done with afterwards.</param>
    /// <param name="b_nI">b; likewise.</param>
    /// <param name="dy_nD">The gradient of y.</param>
    /// <param name="overwrites">Whether the memory of a and b may be taken: nobody keeps them.</param>
    /// <returns>dn.</returns>
    Tensor Backward(Tensor n_nD, Tensor a_nI, Tensor b_nI, Tensor dy_nD, bool overwrites);
}
