using T2R.Interop;
using T2R.Ops.Fp8;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>
/// SwiGLU (Shazeer, GLU Variants Improve Transformer, 2020) of a norm, added to what the norm read: y = x + h W_dᵀ with h = silu(a) ⊙ b, a = n W_gᵀ, b = n W_uᵀ, n = RMSNorm(x). With the gradients dy
/// and dh = dy W_d
/// <code>
/// dW_d = dyᵀ h      da = dh ⊙ b ⊙ silu′(a)      db = dh ⊙ silu(a)      dn = da W_g + db W_u      dW_g = daᵀ n      dW_u = dbᵀ n
/// dx = dy + (∂n/∂x)ᵀ dn
/// </code>
/// n is made again in the backward. Rows are taken some at a time, so that what is I wide never exists for all tokens, unless a backward is to come without a tape; then a and b are kept. Sums of the
/// weights' gradients over such chunks are rounded to the weight's dtype after each.
/// </summary>
public sealed class SwiGlu : SafeFunction<SwiGlu>
{
    /// <summary>Maps each row by itself.</summary>
    /// <param name="x"><c>[…, D]</c>.</param>
    /// <param name="norm">Weight of the norm, <c>[D]</c>.</param>
    /// <param name="epsilon">ε of the norm.</param>
    /// <param name="gate">W_g, <c>[I, D]</c>.</param>
    /// <param name="up">W_u, <c>[I, D]</c>.</param>
    /// <param name="down">W_d, <c>[D, I]</c>.</param>
    /// <param name="tape">Keeps or gives a and b; while it is replayed, the returned values are not computed and must not be read. Null for neither.</param>
    /// <param name="workspace">How many rows may be taken at once; null for the standard.</param>
    /// <param name="fp8">Scales to multiply in FP8 with, where the sizes allow it; null for the weights' own type.</param>
    /// <param name="overwrites">Whether y may take x's memory, which it does where no graph is built: nobody reads x any more.</param>
    /// <returns><c>[…, D]</c>.</returns>
    public static Tensor Apply(
        Tensor x, Tensor norm, double epsilon, Tensor gate, Tensor up, Tensor down, Tape? tape = null, Workspace? workspace = null, Fp8Layer? fp8 = null, bool overwrites = false)
    {
        long elements = (workspace ?? Workspace.Standard).WideElements;
        tape?.RefuseGraph();
        using var scope = NewDisposeScope();
        if (tape is { IsRecording: false })
        {
            using var a = tape.Take();
            using var b = tape.Take();
            return Call(x, norm, epsilon, gate, up, down, false, a, b, elements, fp8)[0].MoveToOuterDisposeScope();
        }

        if (is_grad_enabled() && (x.requires_grad || norm.requires_grad || gate.requires_grad || up.requires_grad || down.requires_grad))
        {
            return Call(x, norm, epsilon, gate, up, down, true, null, null, elements, fp8)[0].MoveToOuterDisposeScope();
        }

        using var products = ProductsOf(x, gate, up, down, fp8);
        return Compute(x, overwrites && x.is_contiguous() ? x.detach() : Copy(x), norm, epsilon, products, gate.shape[0], tape, elements).MoveToOuterDisposeScope();
    }

    /// <inheritdoc />
    protected override List<Tensor> ComputeOutputs(autograd.AutogradContext context, object?[] inputs)
    {
        Tensor Input(int i) => (Tensor)inputs[i]!;
        var (x, norm, gate, up, down) = (Input(0), Input(1), Input(3), Input(4), Input(5));
        double epsilon = (double)inputs[2]!;
        context.save_data(nameof(epsilon), epsilon);
        context.save_data(nameof(Tape), !(bool)inputs[6]!);
        context.save_data(nameof(Workspace), (long)inputs[9]!);
        context.save_data(nameof(Fp8Layer), inputs[10]);
        if (!(bool)inputs[6]!)
        {
            context.save_for_backward([x, norm, gate, up, down, (Tensor?)inputs[7], (Tensor?)inputs[8]]);
            return [empty(1, x.dtype, x.device).expand(x.shape)];
        }

        var (n_ND, _) = RmsNorm.RowsForward(Rows(x), norm, epsilon, silu: false);
        using var products = ProductsOf(x, gate, up, down, (Fp8Layer?)inputs[10]);
        var (a_NI, b_NI) = products.Wide(n_ND);
        context.save_for_backward([x, norm, gate, up, down, a_NI, b_NI]);
        var y = Copy(x);
        products.AddDown(a_NI, b_NI, Rows(y), overwrites: false);
        return [y];
    }

    /// <inheritdoc />
    protected override List<Tensor?> ComputeGradients(autograd.AutogradContext context, List<Tensor?> gradients)
    {
        List<Tensor?> saved = context.get_saved_variables()!;
        var (x, norm, gate, up, down) = (saved[0]!, saved[1]!, saved[2]!, saved[3]!, saved[4]!);
        double epsilon = (double)context.get_data(nameof(epsilon))!;
        bool isReplayed = (bool)context.get_data(nameof(Tape))!;
        var (x_ND, dy_ND) = (Rows(x), Rows(gradients[0]!));
        var wideNorm_D = norm.to(RmsNorm.WideType(x));
        var dNorm_D = zeros_like(wideNorm_D);
        var dx_ND = empty(x_ND.shape, x.dtype, x.device);
        using var products = ProductsOf(x, gate, up, down, (Fp8Layer?)context.get_data(nameof(Fp8Layer)));
        foreach (var (start, count) in RowChunks.Of(x_ND.shape[0], gate.shape[0], (long)context.get_data(nameof(Workspace))!, products.RowMultiple))
        {
            using var scope = NewDisposeScope();
            Tensor Part(Tensor t) => t.narrow(0, start, count);
            var (x_nD, dy_nD) = (Part(x_ND), Part(dy_ND));
            var (n_nD, inverse_n1) = RmsNorm.RowsForward(x_nD, norm, epsilon, silu: false);
            var (a_nI, b_nI) = saved[5] is { } a ? (Part(Rows(a)), Part(Rows(saved[6]!))) : products.Wide(n_nD);
            var dn_nD = products.Backward(n_nD, a_nI, b_nI, dy_nD, overwrites: saved[5] is null || isReplayed);
            RmsNorm.RowsBackward(x_nD, wideNorm_D, inverse_n1, dn_nD, silu: false, dNorm_D, Part(dx_ND), dy_nD);
        }

        return [dx_ND.view(x.shape), dNorm_D.to(norm.dtype), null, products.GateGradient, products.UpGradient, products.DownGradient, null, null, null, null, null];
    }

    // y holds x, and may be x.
    private static Tensor Compute(Tensor x, Tensor y, Tensor norm, double epsilon, ISwiGluProducts products, long inner, Tape? tape, long elements)
    {
        var (x_ND, y_ND) = (Rows(x), Rows(y));
        if (tape is not null)
        {
            var (n_ND, _) = RmsNorm.RowsForward(x_ND, norm, epsilon, silu: false);
            var (a_NI, b_NI) = products.Wide(n_ND);
            tape.Keep(a_NI);
            tape.Keep(b_NI);
            products.AddDown(a_NI, b_NI, y_ND, overwrites: false);
            return y;
        }

        foreach (var (start, count) in RowChunks.Of(x_ND.shape[0], inner, elements, products.RowMultiple))
        {
            using var scope = NewDisposeScope();
            var (n_nD, _) = RmsNorm.RowsForward(x_ND.narrow(0, start, count), norm, epsilon, silu: false);
            var (a_nI, b_nI) = products.Wide(n_nD);
            products.AddDown(a_nI, b_nI, y_ND.narrow(0, start, count), overwrites: true);
        }

        return y;
    }

    private static ISwiGluProducts ProductsOf(Tensor x, Tensor gate, Tensor up, Tensor down, Fp8Layer? fp8) =>
        fp8 is not null && Fp8SwiGluProducts.Takes(Rows(x), gate) ? new Fp8SwiGluProducts(gate, up, down, fp8) : new PlainSwiGluProducts(gate, up, down);

    private static Tensor Copy(Tensor x) => empty(x.shape, x.dtype, x.device).copy_(x);

    private static Tensor Rows(Tensor x) => x.reshape(-1, x.shape[^1]);
}
