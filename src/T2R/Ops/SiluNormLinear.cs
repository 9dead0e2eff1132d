using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>
/// What follows an operator in a layer, y = RMSNorm(silu(x)) Wᵀ, keeping x alone: the norm is made again in the backward, some rows at a time, so that fp32 copies of half
/// types stay small. Sums of W's gradient over such chunks are rounded to its dtype after each. On a card in 16 bits the kernels of <c>RmsNorm.cu</c> take all rows at once:
/// the norm, then its gradient, is no larger than what the backward of the operator before it holds.
/// </summary>
public sealed class SiluNormLinear : SafeFunction<SiluNormLinear>
{
    // Elements of one intermediate: 32 MiB in fp32.
    private const long ChunkElements = 1L << 23;

    /// <summary>Maps each row by itself.</summary>
    /// <param name="x"><c>[…, D]</c>.</param>
    /// <param name="norm">Weight of the norm, <c>[D]</c>.</param>
    /// <param name="epsilon">ε of the norm.</param>
    /// <param name="weight">W, <c>[O, D]</c>.</param>
    /// <param name="tape">Keeps or gives y; null for neither.</param>
    /// <returns><c>[…, O]</c>.</returns>
    public static Tensor Apply(Tensor x, Tensor norm, double epsilon, Tensor weight, Tape? tape = null)
    {
        tape?.RefuseGraph();
        using var scope = NewDisposeScope();
        using var kept = tape is { IsRecording: false } ? tape.Take() : null;
        if (is_grad_enabled() && (x.requires_grad || norm.requires_grad || weight.requires_grad))
        {
            return Call(x, norm, epsilon, weight, kept is null ? null : new[] { kept })[0].MoveToOuterDisposeScope();
        }

        var y = Compute(x, norm, epsilon, weight);
        if (tape is { IsRecording: true })
        {
            tape.Keep(y);
        }

        return y.MoveToOuterDisposeScope();
    }

    /// <inheritdoc />
    protected override List<Tensor> ComputeOutputs(autograd.AutogradContext context, object?[] inputs)
    {
        var (x, norm, weight) = ((Tensor)inputs[0]!, (Tensor)inputs[1]!, (Tensor)inputs[3]!);
        double epsilon = (double)inputs[2]!;
        context.save_for_backward([x, norm, weight]);
        context.save_data(nameof(epsilon), epsilon);
        return inputs[4] is Tensor[] kept ? [.. kept] : [Compute(x, norm, epsilon, weight)];
    }

    /// <inheritdoc />
    protected override List<Tensor?> ComputeGradients(autograd.AutogradContext context, List<Tensor?> gradients)
    {
        var saved = context.get_saved_variables();
        var (x, norm, weight) = (saved[0], saved[1], saved[2]);
        double epsilon = (double)context.get_data(nameof(epsilon))!;
        var (x_ND, dy_NO) = (x.reshape(-1, x.shape[^1]), gradients[0]!.reshape(-1, weight.shape[0]));
        var wideNorm_D = norm.to(RmsNorm.WideType(x));
        var dNorm_D = norm.requires_grad ? zeros_like(wideNorm_D) : null;
        var dx_ND = empty(x_ND.shape, x.dtype, x.device);
        Tensor? dWeight = null;
        foreach (var (start, count) in RowChunks.Of(x_ND.shape[0], x_ND.shape[1], CudaRmsNorm.Of(x_ND, silu: true) is null ? ChunkElements : long.MaxValue))
        {
            using var scope = NewDisposeScope();
            Tensor Part(Tensor t) => t.narrow(0, start, count);
            var (x_nD, dy_nO) = (Part(x_ND), Part(dy_NO));
            var (n_nD, inverse_n1) = RmsNorm.RowsForward(x_nD, norm, epsilon, silu: true);
            if (weight.requires_grad)
            {
                Linear.AccumulateWeightGradient(ref dWeight, dy_nO, n_nD);
            }

            n_nD.Dispose();
            RmsNorm.RowsBackward(x_nD, wideNorm_D, inverse_n1, dy_nO.matmul(weight), silu: true, dNorm_D, Part(dx_ND));
        }

        return [dx_ND.view(x.shape), dNorm_D?.to(norm.dtype), null, dWeight, null];
    }

    private static Tensor Compute(Tensor x, Tensor norm, double epsilon, Tensor weight)
    {
        using var normed = RmsNorm.ApplyToSilu(x, norm, epsilon);
        return nn.functional.linear(normed, weight);
    }
}
