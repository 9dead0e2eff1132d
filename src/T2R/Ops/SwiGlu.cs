using T2R.Interop;
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
/// weights' gradients over such chunks are rounded to the weight's dtype after each. On a card in bf16 what stands between the products are the kernels of <c>SwiGlu.cu</c>.
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
    /// <param name="overwrites">Whether y may take x's memory, which it does where no graph is built: nobody reads x any more.</param>
    /// <returns><c>[…, D]</c>.</returns>
    public static Tensor Apply(
        Tensor x, Tensor norm, double epsilon, Tensor gate, Tensor up, Tensor down, Tape? tape = null, Workspace? workspace = null, bool overwrites = false)
    {
        long elements = (workspace ?? Workspace.Standard).WideElements;
        tape?.RefuseGraph();
        using var scope = NewDisposeScope();
        if (tape is { IsRecording: false })
        {
            using var a = tape.Take();
            using var b = tape.Take();
            return Call(x, norm, epsilon, gate, up, down, false, a, b, elements)[0].MoveToOuterDisposeScope();
        }

        if (is_grad_enabled() && (x.requires_grad || norm.requires_grad || gate.requires_grad || up.requires_grad || down.requires_grad))
        {
            return Call(x, norm, epsilon, gate, up, down, true, null, null, elements)[0].MoveToOuterDisposeScope();
        }

        return Compute(x, overwrites && x.is_contiguous() ? x.detach() : Copy(x), norm, epsilon, gate, up, down, tape, elements).MoveToOuterDisposeScope();
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
        if (!(bool)inputs[6]!)
        {
            context.save_for_backward([x, norm, gate, up, down, (Tensor?)inputs[7], (Tensor?)inputs[8]]);
            return [empty(1, x.dtype, x.device).expand(x.shape)];
        }

        var (n_ND, _) = RmsNorm.RowsForward(Rows(x), norm, epsilon, silu: false);
        var (a_NI, b_NI) = (nn.functional.linear(n_ND, gate), nn.functional.linear(n_ND, up));
        context.save_for_backward([x, norm, gate, up, down, a_NI, b_NI]);
        using var h_NI = GatedProduct.Compute(a_NI, b_NI, overwrites: false);
        var y = Copy(x);
        Rows(y).addmm_(h_NI, down.t(), 1, 1);
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
        Tensor? dGate = null, dUp = null, dDown = null;
        foreach (var (start, count) in RowChunks.Of(x_ND.shape[0], gate.shape[0], (long)context.get_data(nameof(Workspace))!))
        {
            using var scope = NewDisposeScope();
            Tensor Part(Tensor t) => t.narrow(0, start, count);
            var (x_nD, dy_nD) = (Part(x_ND), Part(dy_ND));
            var (n_nD, inverse_n1) = RmsNorm.RowsForward(x_nD, norm, epsilon, silu: false);
            var a_nI = saved[5] is { } a ? Part(Rows(a)) : nn.functional.linear(n_nD, gate);
            var b_nI = saved[6] is { } b ? Part(Rows(b)) : nn.functional.linear(n_nD, up);
            var (da_nI, db_nI) = CudaSwiGlu.Takes(n_nD, gate.shape[0])
                ? ByKernels(a_nI, b_nI, dy_nD, down, overwrites: saved[5] is null || isReplayed, ref dDown)
                : ByTensors(a_nI, b_nI, dy_nD, down, ref dDown);
            if (gate.requires_grad)
            {
                Linear.AccumulateWeightGradient(ref dGate, da_nI, n_nD);
            }

            if (up.requires_grad)
            {
                Linear.AccumulateWeightGradient(ref dUp, db_nI, n_nD);
            }

            var dn_nD = da_nI.matmul(gate).addmm_(db_nI, up, 1, 1);
            da_nI.Dispose();
            db_nI.Dispose();
            RmsNorm.RowsBackward(x_nD, wideNorm_D, inverse_n1, dn_nD, silu: false, dNorm_D, Part(dx_ND), dy_nD);
        }

        return [dx_ND.view(x.shape), dNorm_D.to(norm.dtype), null, dGate, dUp, dDown, null, null, null, null];
    }

    // y holds x, and may be x.
    private static Tensor Compute(Tensor x, Tensor y, Tensor norm, double epsilon, Tensor gate, Tensor up, Tensor down, Tape? tape, long elements)
    {
        var (x_ND, y_ND) = (Rows(x), Rows(y));
        if (tape is not null)
        {
            var (n_ND, _) = RmsNorm.RowsForward(x_ND, norm, epsilon, silu: false);
            var a_NI = nn.functional.linear(n_ND, gate);
            var b_NI = nn.functional.linear(n_ND, up);
            tape.Keep(a_NI);
            tape.Keep(b_NI);
            y_ND.addmm_(GatedProduct.Compute(a_NI, b_NI, overwrites: false), down.t(), 1, 1);
            return y;
        }

        foreach (var (start, count) in RowChunks.Of(x_ND.shape[0], gate.shape[0], elements))
        {
            using var scope = NewDisposeScope();
            var (n_nD, _) = RmsNorm.RowsForward(x_ND.narrow(0, start, count), norm, epsilon, silu: false);
            var h_nI = GatedProduct.Compute(nn.functional.linear(n_nD, gate), nn.functional.linear(n_nD, up), overwrites: true);
            y_ND.narrow(0, start, count).addmm_(h_nI, down.t(), 1, 1);
        }

        return y;
    }

    // da and db of some rows, and their share of dW_d; a and b are done with afterwards, and may be overwritten where nobody keeps them.
    private static (Tensor Gate, Tensor Up) ByKernels(Tensor a_nI, Tensor b_nI, Tensor dy_nD, Tensor down, bool overwrites, ref Tensor? dDown)
    {
        var dh_nI = dy_nD.matmul(down);
        var (da_nI, db_nI) = overwrites ? (a_nI, b_nI) : (empty_like(a_nI), empty_like(b_nI));
        CudaSwiGlu.Backward(a_nI, b_nI, dh_nI, down.requires_grad, da_nI, db_nI);
        if (down.requires_grad)
        {
            // h lies where dh lay.
            Linear.AccumulateWeightGradient(ref dDown, dy_nD, dh_nI);
        }

        dh_nI.Dispose();
        return (da_nI, db_nI);
    }

    private static (Tensor Gate, Tensor Up) ByTensors(Tensor a_nI, Tensor b_nI, Tensor dy_nD, Tensor down, ref Tensor? dDown)
    {
        var silu_nI = nn.functional.silu(a_nI);
        if (down.requires_grad)
        {
            using var h_nI = silu_nI * b_nI;
            Linear.AccumulateWeightGradient(ref dDown, dy_nD, h_nI);
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

    private static Tensor Copy(Tensor x) => empty(x.shape, x.dtype, x.device).copy_(x);

    private static Tensor Rows(Tensor x) => x.reshape(-1, x.shape[^1]);
}
