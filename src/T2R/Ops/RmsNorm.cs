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
/// half types stay small.
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
        var meanWeight_D = wideWeight_D / width;
        var dw_D = zeros(width, wide, x.device);
        var (x_ND, dy_ND) = (x.reshape(-1, width), gradients[0]!.reshape(-1, width));
        var dx_ND = empty_like(x_ND);
        foreach (var (start, count) in Chunks(x_ND))
        {
            using var scope = NewDisposeScope();
            Tensor Part(Tensor t) => t.narrow(0, start, count);
            var x_nD = Part(x_ND).to(wide);
            var (inverse_n1, dy_nD) = (Part(inverse_N1), Part(dy_ND).to(wide));
            var n_nD = (silu ? nn.functional.silu(x_nD) : x_nD) * inverse_n1;

            // Both sums are products with a vector, for which there are fast kernels.
            var product_nD = dy_nD * n_nD;
            dw_D.add_(product_nD.t().mv(ones(count, wide, x.device)));
            var mean_n1 = product_nD.mv(meanWeight_D).unsqueeze(1);
            var du_nD = mul(dy_nD, wideWeight_D).sub_(n_nD.mul_(mean_n1)).mul_(inverse_n1);
            Part(dx_ND).copy_(silu ? Dispatcher.SiluBackward(du_nD, x_nD) : du_nD);
        }

        return [dx_ND.view(x.shape), dw_D.to(weight.dtype), null, null];
    }

    private static Tensor Apply(Tensor x, Tensor weight, double epsilon, bool silu)
    {
        using var scope = NewDisposeScope();
        return (is_grad_enabled() && (x.requires_grad || weight.requires_grad)
            ? Call(x, weight, epsilon, silu)[0]
            : Normalise(x, weight, epsilon, silu).Output).MoveToOuterDisposeScope();
    }

    // 1/r for each row comes with it, in fp32 at least.
    private static (Tensor Output, Tensor Inverse) Normalise(Tensor x, Tensor weight, double epsilon, bool silu)
    {
        long width = weight.shape[0];
        var wide = x.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? ScalarType.Float32 : x.dtype;
        var x_ND = x.reshape(-1, width);
        var output_ND = empty_like(x_ND);
        var inverse_N1 = empty([x_ND.shape[0], 1], wide, x.device);
        foreach (var (start, count) in Chunks(x_ND))
        {
            using var scope = NewDisposeScope();
            var x_nD = x_ND.narrow(0, start, count).to(wide);
            var u_nD = silu ? nn.functional.silu(x_nD) : x_nD;
            var inverse_n1 = inverse_N1.narrow(0, start, count);
            inverse_n1.copy_(u_nD.square().mean([-1], keepdim: true).add_(epsilon).rsqrt_());
            output_ND.narrow(0, start, count).copy_((u_nD * inverse_n1).mul_(weight));
        }

        return (output_ND.view(x.shape), inverse_N1);
    }

    private static IEnumerable<(long Start, long Count)> Chunks(Tensor x_ND)
    {
        long rows = x_ND.shape[0], chunk = Math.Max(1, ChunkElements / x_ND.shape[1]);
        for (long start = 0; start < rows; start += chunk)
        {
            yield return (start, Math.Min(chunk, rows - start));
        }
    }
}
