using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>
/// Root-mean-square norm (Zhang and Sennrich, 2019), over the last axis, D wide, of u = x or u = silu(x). With r = 1/√(mean u² + ε), n = u r and the gradient dy of
/// y = n ⊙ w
/// <code>
/// dw = Σ over rows of dy ⊙ n        du = r (dy ⊙ w − n · mean(dy ⊙ w ⊙ n))        dx = du, or du ⊙ silu′(x)
/// </code>
/// Written out, this is several times faster on a CPU than autograd over the formula, and keeps x and r alone. Rows are taken some at a time, so that fp32 copies of
/// half types stay small; on a card in 16 bits the kernels of <c>RmsNorm.cu</c> take all at once.
/// </summary>
public sealed class RmsNorm : SafeFunction<RmsNorm>
{
    // Elements of one intermediate: 16 MiB in fp32.
    private const long ChunkElements = 1L << 22;

    /// <summary>Normalises; statistics in fp32 at least, the result in the input's dtype.</summary>
    /// <param name="x">Any shape, last axis D.</param>
    /// <param name="weight"><c>[D]</c>.</param>
    /// <param name="epsilon">ε.</param>
    public static Tensor Apply(Tensor x, Tensor weight, double epsilon) => Apply(x, weight, epsilon, silu: false);

    /// <summary>Normalises silu(x), which itself is not kept and not rounded.</summary>
    /// <inheritdoc cref="Apply(Tensor, Tensor, double)" />
    public static Tensor ApplyToSilu(Tensor x, Tensor weight, double epsilon) => Apply(x, weight, epsilon, silu: true);

    /// <inheritdoc />
    protected override List<Tensor> ComputeOutputs(autograd.AutogradContext context, object?[] inputs)
    {
        var (x, weight) = ((Tensor)inputs[0]!, (Tensor)inputs[1]!);
        bool silu = (bool)inputs[3]!;
        var (output, inverse_N1) = Normalise(x, weight, (double)inputs[2]!, silu);
        context.save_for_backward([x, weight, inverse_N1]);
        context.save_data(nameof(silu), silu);
        return [output];
    }

    /// <inheritdoc />
    protected override List<Tensor?> ComputeGradients(autograd.AutogradContext context, List<Tensor?> gradients)
    {
        var saved = context.get_saved_variables();
        var (x, weight, inverse_N1) = (saved[0], saved[1], saved[2]);
        bool silu = (bool)context.get_data(nameof(silu))!;
        long width = weight.shape[0];
        var wide = inverse_N1.dtype;
        var wideWeight_D = weight.to(wide);
        var dw_D = weight.requires_grad ? zeros(width, wide, x.device) : null;
        var (x_ND, dy_ND) = (x.reshape(-1, width), gradients[0]!.reshape(-1, width));

        // Of a leaf that has a gradient already, such as a residual stream whose own came past the norm: added in the same pass, where it lies.
        using var past = x.requires_grad && x.is_leaf && x.grad is { } sum && sum.is_contiguous() && sum.dtype == x.dtype ? sum : null;
        var dx_ND = past is null ? empty(x_ND.shape, x.dtype, x.device) : past.view(-1, width);
        foreach (var (start, count) in RowChunks.Of(x_ND.shape[0], width, CudaRmsNorm.Of(x_ND, silu) is null ? ChunkElements : long.MaxValue))
        {
            using var scope = NewDisposeScope();
            Tensor Part(Tensor t) => t.narrow(0, start, count);
            RowsBackward(Part(x_ND), wideWeight_D, Part(inverse_N1), Part(dy_ND), silu, dw_D, Part(dx_ND), past is null ? null : Part(dx_ND));
        }

        return [past is null ? dx_ND.view(x.shape) : null, dw_D?.to(weight.dtype), null, null];
    }

    /// <summary>Normalises some rows.</summary>
    /// <param name="x_nD">The rows.</param>
    /// <param name="weight_D">w.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="silu">Whether u is silu(x).</param>
    /// <returns>y in x's dtype, and r of each row, in fp32 at least.</returns>
    internal static (Tensor Output, Tensor Inverse) RowsForward(Tensor x_nD, Tensor weight_D, double epsilon, bool silu)
    {
        if (CudaRmsNorm.Of(x_nD, silu) is { } kernels)
        {
            return kernels.Forward(x_nD, weight_D, epsilon);
        }

        var wide_nD = x_nD.to(WideType(x_nD));
        var u_nD = silu ? nn.functional.silu(wide_nD) : wide_nD;
        var inverse_n1 = u_nD.square().mean([-1], keepdim: true).add_(epsilon).rsqrt_();
        return ((u_nD * inverse_n1).mul_(weight_D).to(x_nD.dtype), inverse_n1);
    }

    /// <summary>The backward of <see cref="RowsForward"/>.</summary>
    /// <param name="x_nD">The rows.</param>
    /// <param name="wideWeight_D">w, in r's dtype.</param>
    /// <param name="inverse_n1">r of each row.</param>
    /// <param name="dy_nD">The gradient of y.</param>
    /// <param name="silu">Whether u was silu(x).</param>
    /// <param name="dw_D">The gradient of w, to which these rows' share is added; in r's dtype; null where it is not wanted.</param>
    /// <param name="dx_nD">Receives the gradient of the rows; dense, in their dtype.</param>
    /// <param name="past_nD">A gradient of the rows that comes past the norm, added to dx before that is rounded; may be <paramref name="dx_nD"/>; null for none.</param>
    internal static void RowsBackward(
        Tensor x_nD, Tensor wideWeight_D, Tensor inverse_n1, Tensor dy_nD, bool silu, Tensor? dw_D, Tensor dx_nD, Tensor? past_nD = null)
    {
        if (CudaRmsNorm.Of(x_nD, silu) is { } kernels)
        {
            kernels.Backward(x_nD, wideWeight_D, inverse_n1, dy_nD, dw_D, dx_nD, past_nD);
            return;
        }

        var wide_nD = x_nD.to(inverse_n1.dtype);
        var n_nD = (silu ? nn.functional.silu(wide_nD) : wide_nD) * inverse_n1;
        var wideDy_nD = dy_nD.to(inverse_n1.dtype);

        // Both sums are products with a vector, for which there are fast kernels.
        var product_nD = wideDy_nD * n_nD;
        dw_D?.add_(product_nD.t().mv(ones(x_nD.shape[0], inverse_n1.dtype, x_nD.device)));
        var mean_n1 = product_nD.mv(wideWeight_D / x_nD.shape[1]).unsqueeze(1);
        product_nD.Dispose();
        var du_nD = mul(wideDy_nD, wideWeight_D).sub_(n_nD.mul_(mean_n1)).mul_(inverse_n1);
        var wideDx_nD = silu ? Dispatcher.SiluBackward(du_nD, wide_nD) : du_nD;
        dx_nD.copy_(past_nD is null ? wideDx_nD : wideDx_nD.add_(past_nD));
    }

    /// <summary>The dtype of statistics: fp32 for half types.</summary>
    internal static ScalarType WideType(Tensor x) => x.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? ScalarType.Float32 : x.dtype;

    private static Tensor Apply(Tensor x, Tensor weight, double epsilon, bool silu)
    {
        using var scope = NewDisposeScope();
        return (is_grad_enabled() && (x.requires_grad || weight.requires_grad)
            ? Call(x, weight, epsilon, silu)[0]
            : Normalise(x, weight, epsilon, silu).Output).MoveToOuterDisposeScope();
    }

    // r of each row comes with it, in fp32 at least.
    private static (Tensor Output, Tensor Inverse) Normalise(Tensor x, Tensor weight, double epsilon, bool silu)
    {
        var x_ND = x.reshape(-1, weight.shape[0]);
        if (CudaRmsNorm.Of(x_ND, silu) is { } kernels)
        {
            var (y_ND, r_N1) = kernels.Forward(x_ND, weight, epsilon);
            return (y_ND.view(x.shape), r_N1);
        }

        var output_ND = empty_like(x_ND);
        var inverse_N1 = empty([x_ND.shape[0], 1], WideType(x), x.device);
        foreach (var (start, count) in RowChunks.Of(x_ND.shape[0], x_ND.shape[1], ChunkElements))
        {
            using var scope = NewDisposeScope();
            var (output_nD, inverse_n1) = RowsForward(x_ND.narrow(0, start, count), weight, epsilon, silu);
            inverse_N1.narrow(0, start, count).copy_(inverse_n1);
            output_ND.narrow(0, start, count).copy_(output_nD);
        }

        return (output_ND.view(x.shape), inverse_N1);
    }
}
