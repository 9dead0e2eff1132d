using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>Copies between states, [B, Hkv, rows, width], and the padded matrix of one of their items.</summary>
internal static class CpuState
{
    internal static void Pack(Tensor tensor, int item, Span<float> packed, int rows, int width, int padded) =>
        Pack(TensorMemory.AsSpan<float>(tensor).Slice(item * rows * width, rows * width), packed, rows, width, padded);

    internal static void Unpack(ReadOnlySpan<float> packed, Tensor tensor, int item, int rows, int width, int padded) =>
        Unpack(packed, TensorMemory.AsSpan<float>(tensor).Slice(item * rows * width, rows * width), rows, width, padded);

    /// <summary>Copies rows that lie one after another into padded ones.</summary>
    internal static void Pack(ReadOnlySpan<float> source, Span<float> packed, int rows, int width, int padded)
    {
        for (int r = 0; r < rows; r++)
        {
            source.Slice(r * width, width).CopyTo(packed[(r * padded)..]);
        }
    }

    /// <summary>Copies padded rows so that they lie one after another.</summary>
    internal static void Unpack(ReadOnlySpan<float> packed, Span<float> target, int rows, int width, int padded)
    {
        for (int r = 0; r < rows; r++)
        {
            packed.Slice(r * padded, width).CopyTo(target[(r * width)..]);
        }
    }

    /// <summary>Transposes a matrix whose rows are <paramref name="columns"/> long.</summary>
    internal static void Transpose(ReadOnlySpan<float> source, Span<float> target, int rows, int columns)
    {
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                target[(c * rows) + r] = source[(r * columns) + c];
            }
        }
    }
}
