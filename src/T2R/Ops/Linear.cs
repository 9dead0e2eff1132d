using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>
/// Linear maps without bias of one input, y_i = x W_iᵀ. With a tape their products are not computed again. The gradient of the input is summed by the products themselves
/// <code>
/// dx = Σ dy_i W_i      dW_i = dy_iᵀ x
/// </code>
/// where autograd would pass over memory once more for each map.
/// </summary>
public sealed class Linear : SafeFunction<Linear>
{
    /// <summary>Applies one map.</summary>
    /// <param name="x"><c>[…, I]</c>.</param>
    /// <param name="weight"><c>[O, I]</c>, of x's dtype.</param>
    /// <param name="tape">Keeps or gives y; null for neither.</param>
    /// <returns><c>[…, O]</c>.</returns>
    public static Tensor Apply(Tensor x, Tensor weight, Tape? tape = null) => Apply(x, [weight], tape)[0];

    /// <summary>Applies several maps.</summary>
    /// <param name="x"><c>[…, I]</c>.</param>
    /// <param name="weights"><c>[O, I]</c> each, of x's dtype.</param>
    /// <param name="tape">Keeps or gives every y, in order; null for neither.</param>
    /// <returns><c>[…, O]</c> each.</returns>
    public static IReadOnlyList<Tensor> Apply(Tensor x, IReadOnlyList<Tensor> weights, Tape? tape = null)
    {
        tape?.RefuseGraph();
        Tensor?[] kept = [.. weights.Select(_ => tape is { IsRecording: false } ? tape.Take() : null)];
        if (kept.Any(y => y is not null) || (is_grad_enabled() && (x.requires_grad || weights.Any(w => w.requires_grad))))
        {
            try
            {
                return Call([x, kept, .. weights]);
            }
            finally
            {
                Array.ForEach(kept, y => y?.Dispose());
            }
        }

        Tensor[] ys = [.. Outputs(x, weights, kept)];
        if (tape is { IsRecording: true })
        {
            Array.ForEach(ys, tape.Keep);
        }

        return ys;
    }

    /// <summary>
    /// Adds the weight's gradient from some rows, dW ← dW + dyᵀ x, rounded to their dtype once a call. In bf16 one product of 8 192 rows is 1.6e-3 of its norm off; the sum
    /// of eight products of 1 024 is 2.15 times as far off when rows have nothing in common, 1.75 times when they have (measured). Sums in fp32 would hold 4 bytes more for
    /// each of an MLP's weights: 0.66 GiB in Mistral-7B, which in the leanest settings decides what a card must have.
    /// </summary>
    /// <param name="sum">dW, or null before the first rows; then it is made, in the dispose scope around that of the rows.</param>
    /// <param name="dy_NO">The gradient of what the map gave, <c>[N, O]</c>.</param>
    /// <param name="x_NI">What it read, <c>[N, I]</c>.</param>
    public static void AccumulateWeightGradient(ref Tensor? sum, Tensor dy_NO, Tensor x_NI)
    {
        using var dy_ON = dy_NO.t();
        if (sum is null)
        {
            sum = dy_ON.matmul(x_NI).MoveToOuterDisposeScope();
        }
        else
        {
            sum.addmm_(dy_ON, x_NI, 1, 1);
        }
    }

    // What was kept comes in an array, for autograd takes a tensor that comes in and goes out for a view.
    /// <inheritdoc />
    protected override List<Tensor> ComputeOutputs(autograd.AutogradContext context, object?[] inputs)
    {
        var x = (Tensor)inputs[0]!;
        Tensor[] weights = [.. inputs.Skip(2).Cast<Tensor>()];
        context.save_for_backward([x, .. weights]);
        return [.. Outputs(x, weights, (Tensor?[])inputs[1]!)];
    }

    /// <inheritdoc />
    protected override List<Tensor?> ComputeGradients(autograd.AutogradContext context, List<Tensor?> gradients)
    {
        var saved = context.get_saved_variables();
        var x = saved[0];
        var x_NI = x.reshape(-1, x.shape[^1]);
        Tensor? dx_NI = null;
        var dWeights = new List<Tensor?>();
        foreach (var (weight, dy) in saved.Skip(1).Zip(gradients))
        {
            var dy_NO = dy?.reshape(-1, weight.shape[0]);
            dWeights.Add(weight.requires_grad && dy_NO is not null ? dy_NO.t().matmul(x_NI) : null);
            if (x.requires_grad && dy_NO is not null)
            {
                dx_NI = dx_NI is null ? dy_NO.matmul(weight) : dx_NI.addmm_(dy_NO, weight, 1, 1);
            }
        }

        return [dx_NI?.view(x.shape), null, .. dWeights];
    }

    private static IEnumerable<Tensor> Outputs(Tensor x, IReadOnlyList<Tensor> weights, Tensor?[] kept) =>
        weights.Zip(kept, (weight, y) => y ?? nn.functional.linear(x, weight));
}
