using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>
/// SwiGLU (Shazeer, GLU Variants Improve Transformer, 2020): y = h W_dᵀ with h = silu(a) ⊙ b, a = x W_gᵀ, b = x W_uᵀ. With the gradients dy and dh = dy W_d
/// <code>
/// dW_d = dyᵀ h      da = dh ⊙ b ⊙ silu′(a)      db = dh ⊙ silu(a)      dx = da W_g + db W_u      dW_g = daᵀ x      dW_u = dbᵀ x
/// </code>
/// Rows are taken some at a time, so that what is I wide never exists for all tokens, unless a backward is to come without a tape; then a and b are kept. Sums of the
/// weights' gradients over such chunks are rounded to the weight's dtype after each.
/// </summary>
public sealed class SwiGlu : SafeFunction<SwiGlu>
{
    // Elements of one intermediate: 32 MiB in bf16.
    internal const long ChunkElements = 1L << 24;

    /// <summary>Maps each row by itself.</summary>
    /// <param name="x"><c>[…, D]</c>.</param>
    /// <param name="gate">W_g, <c>[I, D]</c>.</param>
    /// <param name="up">W_u, <c>[I, D]</c>.</param>
    /// <param name="down">W_d, <c>[D, I]</c>.</param>
    /// <param name="tape">Keeps or gives a and b; while it is replayed, the returned values are not computed and must not be read. Null for neither.</param>
    /// <returns><c>[…, D]</c>.</returns>
    public static Tensor Apply(Tensor x, Tensor gate, Tensor up, Tensor down, Tape? tape = null)
    {
        using var scope = NewDisposeScope();
        if (tape is { IsRecording: false })
        {
            using var a = tape.Take();
            using var b = tape.Take();
            return Call(x, gate, up, down, false, a, b)[0].MoveToOuterDisposeScope();
        }

        if (is_grad_enabled() && (x.requires_grad || gate.requires_grad || up.requires_grad || down.requires_grad))
        {
            return Call(x, gate, up, down, true, null, null)[0].MoveToOuterDisposeScope();
        }

        return Compute(x, gate, up, down, tape).MoveToOuterDisposeScope();
    }

    /// <inheritdoc />
    protected override List<Tensor> ComputeOutputs(autograd.AutogradContext context, object?[] inputs)
    {
        var (x, gate, up, down) = ((Tensor)inputs[0]!, (Tensor)inputs[1]!, (Tensor)inputs[2]!, (Tensor)inputs[3]!);
        bool isRead = (bool)inputs[4]!;
        var a = isRead ? nn.functional.linear(x, gate) : (Tensor?)inputs[5];
        var b = isRead ? nn.functional.linear(x, up) : (Tensor?)inputs[6];
        context.save_for_backward([x, gate, up, down, a, b]);
        if (!isRead)
        {
            return [empty_like(x)];
        }

        using var h = nn.functional.silu(a!).mul_(b!);
        return [nn.functional.linear(h, down)];
    }

    /// <inheritdoc />
    protected override List<Tensor?> ComputeGradients(autograd.AutogradContext context, List<Tensor?> gradients)
    {
        List<Tensor?> saved = context.get_saved_variables()!;
        var (x, gate, up, down) = (saved[0]!, saved[1]!, saved[2]!, saved[3]!);
        var (x_ND, dy_ND) = (Rows(x), Rows(gradients[0]!));
        var (a_NI, b_NI) = (saved[4] is { } a ? Rows(a) : null, saved[5] is { } b ? Rows(b) : null);
        var dx_ND = x.requires_grad ? empty_like(x_ND) : null;
        Tensor? dGate = null, dUp = null, dDown = null;
        foreach (var (start, count) in Chunks(x_ND, gate))
        {
            using var scope = NewDisposeScope();
            Tensor Part(Tensor t) => t.narrow(0, start, count);
            var (x_nD, dy_nD) = (Part(x_ND), Part(dy_ND));
            var a_nI = a_NI is null ? nn.functional.linear(x_nD, gate) : Part(a_NI);
            var b_nI = b_NI is null ? nn.functional.linear(x_nD, up) : Part(b_NI);
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
            if (gate.requires_grad)
            {
                Linear.AccumulateWeightGradient(ref dGate, da_nI, x_nD);
            }

            if (up.requires_grad)
            {
                Linear.AccumulateWeightGradient(ref dUp, db_nI, x_nD);
            }

            if (dx_ND is not null)
            {
                Part(dx_ND).copy_(da_nI.matmul(gate).addmm_(db_nI, up, 1, 1));
            }
        }

        return [dx_ND?.view(x.shape), dGate, dUp, dDown, null, null, null];
    }

    private static Tensor Compute(Tensor x, Tensor gate, Tensor up, Tensor down, Tape? tape)
    {
        var x_ND = Rows(x);
        if (tape is not null)
        {
            var a_NI = nn.functional.linear(x_ND, gate);
            var b_NI = nn.functional.linear(x_ND, up);
            tape.Keep(a_NI);
            tape.Keep(b_NI);
            return nn.functional.linear(nn.functional.silu(a_NI).mul_(b_NI), down).view(x.shape);
        }

        var y_ND = empty_like(x_ND);
        foreach (var (start, count) in Chunks(x_ND, gate))
        {
            using var scope = NewDisposeScope();
            var x_nD = x_ND.narrow(0, start, count);
            var h_nI = nn.functional.silu(nn.functional.linear(x_nD, gate), inplace: true).mul_(nn.functional.linear(x_nD, up));
            y_ND.narrow(0, start, count).copy_(nn.functional.linear(h_nI, down));
        }

        return y_ND.view(x.shape);
    }

    private static Tensor Rows(Tensor x) => x.reshape(-1, x.shape[^1]);

    private static IEnumerable<(long Start, long Count)> Chunks(Tensor x_ND, Tensor gate)
    {
        long rows = x_ND.shape[0], chunk = Math.Max(1, ChunkElements / gate.shape[0]);
        for (long start = 0; start < rows; start += chunk)
        {
            yield return (start, Math.Min(chunk, rows - start));
        }
    }
}
