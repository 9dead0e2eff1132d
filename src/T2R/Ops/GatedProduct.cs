using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>
/// What stands between the products of <see cref="SwiGlu"/>, by itself: h = silu(a) ⊙ b, keeping a and b alone. With the gradient dh
/// <code>
/// da = dh ⊙ b ⊙ silu′(a)      db = dh ⊙ silu(a)
/// </code>
/// </summary>
public sealed class GatedProduct : SafeFunction<GatedProduct>
{
    /// <summary>Multiplies.</summary>
    /// <param name="gate">a, <c>[…, I]</c>.</param>
    /// <param name="up">b, of a's shape and dtype.</param>
    /// <returns><c>[…, I]</c>.</returns>
    public static Tensor Apply(Tensor gate, Tensor up)
    {
        using var scope = NewDisposeScope();
        return (is_grad_enabled() && (gate.requires_grad || up.requires_grad) ? Call(gate, up)[0] : Compute(gate, up, overwrites: false)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc />
    protected override List<Tensor> ComputeOutputs(autograd.AutogradContext context, object?[] inputs)
    {
        var (gate, up) = ((Tensor)inputs[0]!, (Tensor)inputs[1]!);
        context.save_for_backward([gate, up]);
        return [Compute(gate, up, overwrites: false)];
    }

    /// <inheritdoc />
    protected override List<Tensor?> ComputeGradients(autograd.AutogradContext context, List<Tensor?> gradients)
    {
        var saved = context.get_saved_variables();
        var (gate, up, dh) = (saved[0], saved[1], gradients[0]!);
        if (!CudaSwiGlu.Takes(gate, gate.shape[^1]))
        {
            Tensor gateGradient;
            using (var product = dh * up)
            {
                gateGradient = Dispatcher.SiluBackward(product, gate);
            }

            return [gateGradient, nn.functional.silu(gate).mul_(dh)];
        }

        var (a, b) = (CudaUnits.Dense(gate), CudaUnits.Dense(up));
        var (da, db) = (empty(a.shape, a.dtype, a.device), empty(a.shape, a.dtype, a.device));
        CudaSwiGlu.Backward(a, b, CudaUnits.Dense(dh), wantsProduct: false, da, db);
        return [da, db];
    }

    /// <summary>The gradients, and the product again, without a graph.</summary>
    /// <param name="gate">a; dense where kernels take it.</param>
    /// <param name="up">b; likewise.</param>
    /// <param name="gradient">dh; likewise. With kernels h takes its memory.</param>
    /// <param name="wantsProduct">Whether h is wanted.</param>
    /// <param name="overwrites">Whether da and db may take the memory of a and b.</param>
    internal static (Tensor Gate, Tensor Up, Tensor? Product) Differentiate(Tensor gate, Tensor up, Tensor gradient, bool wantsProduct, bool overwrites)
    {
        if (!CudaSwiGlu.Takes(gate, gate.shape[^1]))
        {
            var silu = nn.functional.silu(gate);
            var h = wantsProduct ? silu * up : null;
            using var product = gradient * up;
            return (Dispatcher.SiluBackward(product, gate), silu.mul_(gradient), h);
        }

        var (da, db) = overwrites ? (gate, up) : (empty_like(gate), empty_like(up));
        CudaSwiGlu.Backward(gate, up, gradient, wantsProduct, da, db);
        return (da, db, wantsProduct ? gradient : null);
    }

    /// <summary>The product without a graph.</summary>
    /// <param name="gate">a.</param>
    /// <param name="up">b.</param>
    /// <param name="overwrites">Whether h may take a's memory; a is dense then.</param>
    internal static Tensor Compute(Tensor gate, Tensor up, bool overwrites)
    {
        if (!CudaSwiGlu.Takes(gate, gate.shape[^1]))
        {
            return nn.functional.silu(gate, inplace: overwrites).mul_(up);
        }

        var (a, b) = (CudaUnits.Dense(gate), CudaUnits.Dense(up));
        var h = overwrites ? a : empty(a.shape, a.dtype, a.device);
        CudaSwiGlu.Forward(a, b, h);
        return h;
    }
}
