using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary>The sum of the squares of many tensors' numbers: in fp32 within a tensor (fp64 of an fp64 one), in fp64 over tensors. On a card by the kernels of <c>SumOfSquares.cu</c>.</summary>
internal static class SumOfSquares
{
    // Numbers of a part: its fp32 copy is 64 MiB.
    private const long PartNumbers = 1L << 24;

    /// <summary>Sums, without waiting for the card.</summary>
    /// <param name="tensors">One at least, all on one device.</param>
    /// <returns>An fp64 scalar on that device.</returns>
    public static Tensor Of(IReadOnlyCollection<Tensor> tensors)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return (tensors.All(CudaSumOfSquares.Takes) ? CudaSumOfSquares.Of(tensors) : stack(tensors.SelectMany(OfParts)).sum()).MoveToOuterDisposeScope();
    }

    // Of parts, so that the fp32 copy of a half type stays small.
    private static IEnumerable<Tensor> OfParts(Tensor tensor)
    {
        using var flat = tensor.flatten();
        for (long start = 0; start < flat.shape[0]; start += PartNumbers)
        {
            using var part = flat.narrow(0, start, Math.Min(PartNumbers, flat.shape[0] - start));
            using var wide = part.to(part.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32);
            using var norm = linalg.vector_norm(wide, 2);
            using var norm64 = norm.to(ScalarType.Float64);
            yield return norm64.square();
        }
    }
}
