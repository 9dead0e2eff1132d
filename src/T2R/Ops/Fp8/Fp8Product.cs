using static TorchSharp.torch;

namespace T2R.Ops.Fp8;

/// <summary>
/// One product y = x Wᵀ in FP8, and the products that give its gradients, with their scales. W may be several weights below each other; then y and dy are theirs beside
/// each other.
/// </summary>
public sealed class Fp8Product : IDisposable
{
    /// <summary>Every size of a product is a multiple of this.</summary>
    public const long Multiple = 16;

    /// <summary>How many scales it has.</summary>
    internal const int Cells = 3;

    // Whether sums may stay in the tensor cores for longer (Dispatcher.ScaledProduct), by kind of product.
    private const bool FastOutput = true, FastInputGradient = false, FastWeightGradient = false;

    internal Fp8Product(Fp8Scales scales, long index)
    {
        Input = new Fp8Cell(scales, index, FormatOf(0));
        Weight = new Fp8Cell(scales, index + 1, FormatOf(1));
        Gradient = new Fp8Cell(scales, index + 2, FormatOf(2));
    }

    /// <summary>Of x.</summary>
    internal Fp8Cell Input { get; }

    /// <summary>Of W.</summary>
    internal Fp8Cell Weight { get; }

    /// <summary>Of dy.</summary>
    internal Fp8Cell Gradient { get; }

    /// <summary>Whether products can have such sizes.</summary>
    /// <param name="sizes">Rows of x, columns of x, rows of each W.</param>
    public static bool Fits(params ReadOnlySpan<long> sizes)
    {
        foreach (long size in sizes)
        {
            if (size % Multiple != 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Input.Dispose();
        Weight.Dispose();
        Gradient.Dispose();
    }

    /// <summary>W as its product takes it.</summary>
    /// <param name="weights"><c>[O, I]</c> each.</param>
    /// <param name="transposes">Whether <c>[I, ΣO]</c> is wanted, for <see cref="InputGradient"/>; otherwise <c>[ΣO, I]</c>, for <see cref="Output"/>.</param>
    internal Fp8Matrix Weights(IReadOnlyList<Tensor> weights, bool transposes) => Fp8Cast.Stacked(weights, Weight, transposes);

    /// <summary>y = x Wᵀ, <c>[N, ΣO]</c>.</summary>
    /// <param name="x_NI">x.</param>
    /// <param name="w_OI">W, or some of its rows for those columns of y.</param>
    /// <param name="dtype">Of y.</param>
    internal static Tensor Output(Fp8Matrix x_NI, Fp8Matrix w_OI, ScalarType dtype) => x_NI.TimesTransposed(w_OI, dtype, FastOutput);

    /// <summary>dx = dy W, <c>[N, I]</c>.</summary>
    /// <param name="dy_NO">dy.</param>
    /// <param name="w_IO">W transposed.</param>
    /// <param name="dtype">Of dx.</param>
    internal static Tensor InputGradient(Fp8Matrix dy_NO, Fp8Matrix w_IO, ScalarType dtype) => dy_NO.TimesTransposed(w_IO, dtype, FastInputGradient);

    /// <summary>dW = dyᵀ x, weight by weight: rows of one matrix.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="dy_ON">dy transposed.</param>
    /// <param name="x_NI">x, not rounded yet.</param>
    /// <returns>One of each weight's shape, in x's dtype; null for those that are frozen.</returns>
    internal IReadOnlyList<Tensor?> WeightGradients(IReadOnlyList<Tensor> weights, Fp8Matrix dy_ON, Tensor x_NI)
    {
        var trained = Enumerable.Range(0, weights.Count).Where(i => weights[i].requires_grad).ToList();
        if (trained.Count == 0)
        {
            return [.. weights.Select(_ => (Tensor?)null)];
        }

        // Rows of weights that are frozen are computed only where they lie between others.
        long Start(int i) => weights.Take(i).Sum(w => w.shape[0]);
        long first = Start(trained[0]), count = Start(trained[^1] + 1) - first;
        using var trained_ON = dy_ON.Rows(first, count);
        using var x_IN = Fp8Cast.Transposed(x_NI, Input);
        using var dw_OI = trained_ON.TimesTransposed(x_IN, x_NI.dtype, FastWeightGradient);
        return [.. weights.Select((w, i) => w.requires_grad ? dw_OI.narrow(0, Start(i) - first, w.shape[0]) : null)];
    }

    /// <summary>What the matrices of a cell are rounded to.</summary>
    /// <param name="cell">Which of a product's, in the order x, W, dy.</param>
    internal static Fp8Format FormatOf(int cell) => cell < 2 ? Fp8Format.E4M3 : Fp8Format.E5M2;
}
