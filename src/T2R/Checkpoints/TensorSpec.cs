using System.Collections.Immutable;
using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>A tensor that a file is going to hold.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Dtype">Its element type.</param>
/// <param name="Shape">Its sizes; empty for a scalar.</param>
public sealed record TensorSpec(string Name, ScalarType Dtype, ImmutableArray<long> Shape)
{
    /// <summary>Bytes it takes.</summary>
    /// <exception cref="OverflowException">More than 2^63.</exception>
    public long ByteCount => Shape.Aggregate((long)ElementType.Size(Dtype), (product, size) => checked(product * size));
}
