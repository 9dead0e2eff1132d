using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>Copies between a tensor [B, Hkv, rows, width] and the padded matrix of one of its items.</summary>
internal static class CpuState
{
    internal static void Pack(Tensor tensor, int item, Span<float> packed, int rows, int width, int padded)
    {
        var source = TensorMemory.AsSpan<float>(tensor).Slice(item * rows * width, rows * width);
        for (int r = 0; r < rows; r++)
        {
            source.Slice(r * width, width).CopyTo(packed[(r * padded)..]);
        }
    }

    internal static void Unpack(ReadOnlySpan<float> packed, Tensor tensor, int item, int rows, int width, int padded)
    {
        var target = TensorMemory.AsSpan<float>(tensor).Slice(item * rows * width, rows * width);
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
