using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>A linear map without bias, y = x Wᵀ. With a tape its product is not computed again.</summary>
public sealed class Linear : SafeFunction<Linear>
{
    /// <summary>Applies the map.</summary>
    /// <param name="x"><c>[…, I]</c>.</param>
    /// <param name="weight"><c>[O, I]</c>, of x's dtype.</param>
    /// <param name="tape">Keeps or gives y; null for neither.</param>
    /// <returns><c>[…, O]</c>.</returns>
    public static Tensor Apply(Tensor x, Tensor weight, Tape? tape = null)
    {
        tape?.RefuseGraph();
        if (tape is null || tape.IsRecording)
        {
            var y = nn.functional.linear(x, weight);
            tape?.Keep(y);
            return y;
        }

        using var kept = tape.Take();
        return kept is null ? nn.functional.linear(x, weight) : Call(x, weight, new[] { kept })[0];
    }

    /// <summary>
    /// Adds the weight's gradient from some rows, dW ← dW + dyᵀ x, rounded to their dtype once a call. In bf16 one product of 8 192 rows is 1.6e-3 of its norm off; the sum
    /// of eight products of 1 024 is 2.15 times as far off when rows have nothing in common, 1.75 times when they have (measured). Sums in fp32 would hold 4 bytes more for
    /// each of an MLP's weights: 0.66 GiB in Mistral-7B, which in the leanest settings decides what a card must have.
    /// </summary>
    /// <param name="sum">dW, or null before the first rows; then it is made, outside any dispose scope.</param>
    /// <param name="dy_NO">The gradient of what the map gave, <c>[N, O]</c>.</param>
    /// <param name="x_NI">What it read, <c>[N, I]</c>.</param>
    public static void AccumulateWeightGradient(ref Tensor? sum, Tensor dy_NO, Tensor x_NI)
    {
        using var dy_ON = dy_NO.t();
        if (sum is null)
        {
            sum = dy_ON.matmul(x_NI).DetachFromDisposeScope();
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
        context.save_for_backward([(Tensor)inputs[0]!, (Tensor)inputs[1]!]);
        return [.. (Tensor[])inputs[2]!];
    }

    /// <inheritdoc />
    protected override List<Tensor?> ComputeGradients(autograd.AutogradContext context, List<Tensor?> gradients)
    {
        var saved = context.get_saved_variables();
        var (x, weight, dy) = (saved[0], saved[1], gradients[0]!);
        return
        [
            x.requires_grad ? dy.matmul(weight) : null,
            weight.requires_grad ? dy.reshape(-1, weight.shape[0]).t().matmul(x.reshape(-1, weight.shape[1])) : null,
            null,
        ];
    }
}
