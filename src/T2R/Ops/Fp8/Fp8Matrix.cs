using T2R.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.Fp8;

/// <summary>A matrix in FP8, its rows as they are multiplied.</summary>
/// <param name="Values">The numbers times the cell's scale, <c>[M, K]</c>, dense.</param>
/// <param name="Cell">Their scale.</param>
internal sealed record Fp8Matrix(Tensor Values, Fp8Cell Cell) : IDisposable
{
    /// <summary>Some of its rows, which share its memory.</summary>
    /// <param name="start">The first.</param>
    /// <param name="count">How many.</param>
    public Fp8Matrix Rows(long start, long count) => new(Values.narrow(0, start, count), Cell);

    /// <summary>
    /// The product with another's transpose, summed in fp32 and rounded once. A CPU multiplies what the bits stand for in fp32: libtorch's own product is, on some processors,
    /// a reference form that takes minutes.
    /// </summary>
    /// <param name="other_NK">The other, <c>[N, K]</c>.</param>
    /// <param name="dtype">Of the product.</param>
    /// <param name="fastSums">As <see cref="Dispatcher.ScaledProduct"/> takes it.</param>
    /// <returns><c>[M, N]</c>.</returns>
    public Tensor TimesTransposed(Fp8Matrix other_NK, ScalarType dtype, bool fastSums)
    {
        if (Values.device_type == DeviceType.CUDA)
        {
            return Dispatcher.ScaledProduct(Values, other_NK.Values, Cell.Inverse, other_NK.Cell.Inverse, dtype, fastSums);
        }

        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var product = Values.to(ScalarType.Float32).matmul(other_NK.Values.to(ScalarType.Float32).t());
        return product.mul_(Cell.Inverse * other_NK.Cell.Inverse).to(dtype).MoveToOuterDisposeScope();
    }

    /// <inheritdoc />
    public void Dispose() => Values.Dispose();
}
