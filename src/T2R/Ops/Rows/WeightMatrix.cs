using System.Runtime.InteropServices;
using T2R.Interop;
using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Ops.Rows;

/// <summary>A matrix of weights <c>[O, I]</c> where it lies in memory, in its own format.</summary>
/// <param name="rows">O.</param>
/// <param name="columns">I.</param>
internal abstract class WeightMatrix(int rows, int columns)
{
    /// <summary>O.</summary>
    internal int Rows => rows;

    /// <summary>I.</summary>
    internal int Columns => columns;

    /// <summary>Whether there is a format for a tensor.</summary>
    /// <param name="tensor">Any.</param>
    internal static bool Takes(Tensor tensor) =>
        tensor.device_type == TorchSharp.DeviceType.CPU && tensor.is_contiguous() && tensor.dtype is ScalarType.Float32 or ScalarType.BFloat16;

    /// <summary>A tensor's numbers, in place: the tensor must not be disposed meanwhile.</summary>
    /// <param name="tensor">fp32 or bf16, <c>[O, I]</c>, contiguous on the CPU.</param>
    internal static WeightMatrix Of(Tensor tensor)
    {
        var (rows, columns) = ((int)tensor.shape[0], (int)tensor.shape[1]);
        return tensor.dtype == ScalarType.BFloat16
            ? new BFloat16Matrix(TensorMemory.AsMemory<ushort>(tensor), rows, columns)
            : new Float32Matrix(TensorMemory.AsMemory<float>(tensor), rows, columns);
    }

    /// <summary>Codes and scales, in place: the weight must not be disposed meanwhile.</summary>
    /// <param name="weight">On the CPU.</param>
    internal static WeightMatrix Of(QuantizedWeight weight)
    {
        var (rows, columns, scales) = ((int)weight.Rows, (int)weight.Columns, TensorMemory.AsMemory<ushort>(weight.Scales));
        return weight.Format == QuantizedFormat.EightBit
            ? new Int8Matrix(TensorMemory.AsMemory<sbyte>(weight.Codes), scales, rows, columns)
            : new Int4Matrix(TensorMemory.AsMemory<byte>(weight.Codes), scales, rows, columns);
    }

    /// <summary>Whether it reads rows of inputs in the order that <see cref="Int4Format.Turn"/> gives them.</summary>
    internal virtual bool ReadsTurned => false;

    /// <summary>Multiplies inputs by rows of it.</summary>
    /// <param name="product">The inputs and the results.</param>
    /// <param name="first">The first row.</param>
    /// <param name="end">The row after the last.</param>
    internal abstract void Multiply(RowProduct product, int first, int end);

    /// <summary>One of its rows in fp32.</summary>
    /// <param name="index">Which.</param>
    /// <param name="row">Receives it, <c>[I]</c>.</param>
    internal abstract void Read(int index, Span<float> row);

    private static void Read<TFormat>(TFormat format, nint place, Span<float> row)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        for (int i = 0; i < row.Length; i++)
        {
            row[i] = format.At(place + i);
        }
    }

    private sealed class Float32Matrix(ReadOnlyMemory<float> weights, int rows, int columns) : WeightMatrix(rows, columns)
    {
        private Float32Format Format => new(ref MemoryMarshal.GetReference(weights.Span));

        internal override void Multiply(RowProduct product, int first, int end) => product.Run(Format, first, end);

        internal override void Read(int index, Span<float> row) => Read(Format, (nint)index * Columns, row);
    }

    private sealed class BFloat16Matrix(ReadOnlyMemory<ushort> weights, int rows, int columns) : WeightMatrix(rows, columns)
    {
        private BFloat16Format Format => new(weights.Span);

        internal override void Multiply(RowProduct product, int first, int end) => product.Run(Format, first, end);

        internal override void Read(int index, Span<float> row) => Read(Format, (nint)index * Columns, row);
    }

    private sealed class Int8Matrix(ReadOnlyMemory<sbyte> codes, ReadOnlyMemory<ushort> scales, int rows, int columns) : WeightMatrix(rows, columns)
    {
        private Int8Format Format => new(codes.Span, scales.Span);

        internal override void Multiply(RowProduct product, int first, int end) => product.Run(Format, first, end);

        internal override void Read(int index, Span<float> row) => Read(Format, (nint)index * Columns, row);
    }

    private sealed class Int4Matrix(ReadOnlyMemory<byte> codes, ReadOnlyMemory<ushort> scales, int rows, int columns) : WeightMatrix(rows, columns)
    {
        private Int4Format Format => new(codes.Span, scales.Span);

        internal override bool ReadsTurned => true;

        internal override void Multiply(RowProduct product, int first, int end) => product.Run(Format, first, end);

        internal override void Read(int index, Span<float> row) => Read(Format, (nint)index * Columns, row);
    }
}
