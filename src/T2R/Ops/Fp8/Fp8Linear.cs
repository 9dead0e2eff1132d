using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops.Fp8;

/// <summary>
/// <see cref="Linear"/> with its products in FP8: maps of one input as one product each way, of matrices that are rounded straight into one. With W the maps' weights below
/// each other and dy their gradients side by side
/// <code>
/// y = x Wᵀ      dx = dy W      dW = dyᵀ x
/// </code>
/// Nothing in FP8 is kept: the backward rounds x and W again.
/// </summary>
public sealed class Fp8Linear : SafeFunction<Fp8Linear>
{
    /// <summary>Whether maps have sizes that FP8 products can have.</summary>
    /// <param name="x"><c>[…, I]</c>.</param>
    /// <param name="weights"><c>[O, I]</c> each.</param>
    public static bool Takes(Tensor x, IReadOnlyList<Tensor> weights) =>
        Fp8Product.Fits(x.numel() / x.shape[^1], x.shape[^1]) && weights.All(w => Fp8Product.Fits(w.shape[0]));

    /// <summary>Applies several maps.</summary>
    /// <param name="x"><c>[…, I]</c>.</param>
    /// <param name="weights"><c>[O, I]</c> each, of x's dtype.</param>
    /// <param name="product">Their scales.</param>
    /// <param name="tape">Keeps or gives what the product gave; null for neither.</param>
    /// <returns><c>[…, O]</c> each: columns of one matrix.</returns>
    public static IReadOnlyList<Tensor> Apply(Tensor x, IReadOnlyList<Tensor> weights, Fp8Product product, Tape? tape = null)
    {
        tape?.RefuseGraph();
        using var kept = tape is { IsRecording: false } ? tape.Take() : null;
        if (is_grad_enabled() && (x.requires_grad || weights.Any(w => w.requires_grad)))
        {
            return Call([x, kept is null ? null : new[] { kept }, product, .. weights]);
        }

        using var y = kept is null ? Multiply(x, weights, product) : TensorMemory.Share(kept);
        if (tape is { IsRecording: true })
        {
            tape.Keep(y);
        }

        return Columns(y, weights);
    }

    // What was kept comes in an array, for autograd takes a tensor that comes in and goes out for a view.
    /// <inheritdoc />
    protected override List<Tensor> ComputeOutputs(autograd.AutogradContext context, object?[] inputs)
    {
        var (x, product) = ((Tensor)inputs[0]!, (Fp8Product)inputs[2]!);
        Tensor[] weights = [.. inputs.Skip(3).Cast<Tensor>()];
        context.save_for_backward([x, .. weights]);
        context.save_data(nameof(Fp8Product), product);
        using var y = inputs[1] is Tensor[] kept ? TensorMemory.Share(kept[0]) : Multiply(x, weights, product);
        return Columns(y, weights);
    }

    /// <inheritdoc />
    protected override List<Tensor?> ComputeGradients(autograd.AutogradContext context, List<Tensor?> gradients)
    {
        var saved = context.get_saved_variables();
        var (x, weights) = (saved[0], saved.Skip(1).ToList());
        var product = (Fp8Product)context.get_data(nameof(Fp8Product))!;
        var x_NI = x.reshape(-1, x.shape[^1]);
        var dys = weights.Zip(gradients, (w, dy) => dy?.reshape(-1, w.shape[0]) ?? zeros([x_NI.shape[0], w.shape[0]], x.dtype, x.device)).ToList();
        var (dy_NO, dy_ON) = Fp8Cast.Beside(dys, product.Gradient);
        Tensor? dx_NI = null;
        if (x.requires_grad)
        {
            using var w_IO = product.Weights(weights, transposes: true);
            dx_NI = Fp8Product.InputGradient(dy_NO, w_IO, x.dtype);
        }

        dy_NO.Dispose();
        var dWeights = product.WeightGradients(weights, dy_ON, x_NI);
        dy_ON.Dispose();
        return [dx_NI?.view(x.shape), null, null, .. dWeights];
    }

    // y of all maps, [.., ΣO].
    private static Tensor Multiply(Tensor x, IReadOnlyList<Tensor> weights, Fp8Product product)
    {
        using var scope = NewDisposeScope();
        using var x_NI = Fp8Cast.Straight(x.reshape(-1, x.shape[^1]), product.Input);
        using var w_OI = product.Weights(weights, transposes: false);
        return Fp8Product.Output(x_NI, w_OI, x.dtype).view([.. x.shape[..^1], -1]).MoveToOuterDisposeScope();
    }

    // Detached, so that autograd does not take them for views of a tensor that may change.
    private static List<Tensor> Columns(Tensor y, IReadOnlyList<Tensor> weights)
    {
        long start = 0;
        var columns = new List<Tensor>();
        foreach (var weight in weights)
        {
            using var part = y.narrow(-1, start, weight.shape[0]);
            columns.Add(part.detach());
            start += weight.shape[0];
        }

        return columns;
    }
}
