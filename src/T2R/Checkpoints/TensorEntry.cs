using System.Collections.Immutable;
using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>A tensor that a SafeTensors file holds, as its header says.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Dtype">Its element type.</param>
/// <param name="Shape">Its sizes; empty for a scalar.</param>
/// <param name="Offset">Its first byte, counted from the end of the header.</param>
/// <param name="ByteCount">Bytes it takes: the product of the shape times the element size.</param>
public sealed record TensorEntry(string Name, ScalarType Dtype, ImmutableArray<long> Shape, long Offset, long ByteCount);
