using static TorchSharp.torch;

namespace T2R.Ops.Fp8;

/// <summary>
/// Rounds matrices to FP8: times their cell's scale, to nearest even, what is too large to the largest number, as they lie or transposed; and notes the largest |number|.
/// On a card in bf16 the kernel of <c>Cast.cu</c> does all in one read.
/// </summary>
internal static class Fp8Cast
{
    /// <summary>One matrix as it lies.</summary>
    /// <param name="x_NC">The matrix.</param>
    /// <param name="cell">Its scale.</param>
    public static Fp8Matrix Straight(Tensor x_NC, Fp8Cell cell) => Stacked([x_NC], cell, transposes: false);

    /// <summary>One matrix transposed, <c>[C, N]</c>.</summary>
    /// <inheritdoc cref="Straight" path="/param" />
    public static Fp8Matrix Transposed(Tensor x_NC, Fp8Cell cell) => Stacked([x_NC], cell, transposes: true);

    /// <summary>Matrices below each other, <c>[ΣN, C]</c>, or that transposed, <c>[C, ΣN]</c>.</summary>
    /// <param name="parts_NC">The matrices.</param>
    /// <param name="cell">Their scale.</param>
    /// <param name="transposes">Whether the transpose is wanted.</param>
    public static Fp8Matrix Stacked(IReadOnlyList<Tensor> parts_NC, Fp8Cell cell, bool transposes)
    {
        cell.MeasureFirst(parts_NC);
        long rows = parts_NC.Sum(p => p.shape[0]), columns = parts_NC[0].shape[1], start = 0;
        var all = transposes ? Empty(columns, rows, cell, parts_NC[0]) : Empty(rows, columns, cell, parts_NC[0]);
        foreach (var part in parts_NC)
        {
            using var place = all.narrow(transposes ? 1 : 0, start, part.shape[0]);
            Run(part, cell, transposes ? null : place, transposes ? place : null);
            start += part.shape[0];
        }

        return new Fp8Matrix(all, cell);
    }

    /// <summary>Matrices beside each other, <c>[N, ΣC]</c>, and that transposed, <c>[ΣC, N]</c>.</summary>
    /// <param name="parts_NC">The matrices.</param>
    /// <param name="cell">Their scale.</param>
    public static (Fp8Matrix Straight, Fp8Matrix Transposed) Beside(IReadOnlyList<Tensor> parts_NC, Fp8Cell cell)
    {
        cell.MeasureFirst(parts_NC);
        long rows = parts_NC[0].shape[0], columns = parts_NC.Sum(p => p.shape[1]), start = 0;
        var (straight, transposed) = (Empty(rows, columns, cell, parts_NC[0]), Empty(columns, rows, cell, parts_NC[0]));
        foreach (var part in parts_NC)
        {
            using Tensor place = straight.narrow(1, start, part.shape[1]), transposedPlace = transposed.narrow(0, start, part.shape[1]);
            Run(part, cell, place, transposedPlace);
            start += part.shape[1];
        }

        return (new Fp8Matrix(straight, cell), new Fp8Matrix(transposed, cell));
    }

    /// <summary>Rounds one matrix into given places, or measures it alone.</summary>
    /// <param name="x_NC">The matrix.</param>
    /// <param name="cell">Its scale; notes its largest |number|.</param>
    /// <param name="straight">Receives it as it lies: <c>[N, C]</c>, any stride over rows. Null for not.</param>
    /// <param name="transposed">Receives it transposed: <c>[C, N]</c>, any stride over rows. Null for not.</param>
    public static void Run(Tensor x_NC, Fp8Cell cell, Tensor? straight, Tensor? transposed)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (CudaFp8Cast.Takes(x_NC))
        {
            CudaFp8Cast.Run(x_NC, cell, straight, transposed);
            return;
        }

        var wide_NC = x_NC.to(ScalarType.Float32);
        cell.Largest.copy_(cell.Largest.maximum(wide_NC.abs().max()));
        if (straight is not null || transposed is not null)
        {
            var rounded_NC = wide_NC.mul(cell.Scale).clamp_(-cell.Format.Largest, cell.Format.Largest).to(cell.Format.Dtype);
            straight?.copy_(rounded_NC);
            transposed?.copy_(rounded_NC.t());
        }
    }

    private static Tensor Empty(long rows, long columns, Fp8Cell cell, Tensor like) => empty([rows, columns], cell.Format.Dtype, like.device);
}
