using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>A pair of a sequence and a key-value head: copies between its rows of the tensors and padded rows, a block of tokens at a time.</summary>
/// <param name="inputs">The tensors.</param>
/// <param name="index">Which of <see cref="CpuSizes.Items"/>.</param>
internal sealed class CpuItem(CpuInputs inputs, int index)
{
    private readonly CpuSizes _z = inputs.Sizes;

    /// <summary>Reads the inputs of a block.</summary>
    /// <param name="block">Receives them.</param>
    /// <param name="number">Which block of the text.</param>
    internal void Load(CpuBlock block, int number)
    {
        int first = number * CpuSizes.BlockLength;
        int count = block.Count = Math.Min(CpuSizes.BlockLength, _z.Length - first);
        Pack(inputs.Queries, first, count, _z.Groups, _z.KeyDim, block.Queries, _z.PaddedKey);
        Pack(inputs.Keys, first, count, 1, _z.KeyDim, block.Keys, _z.PaddedKey);
        Pack(inputs.Values, first, count, 1, _z.ValueDim, block.Values, _z.PaddedValue);
        Pack(inputs.Write, first, count, 1, _z.Slots, block.Write, _z.PaddedSlots);
        Pack(inputs.LogForget, first, count, 1, _z.Slots, block.Decay, _z.PaddedSlots);
        block.ExpDecay();
        if (inputs.DocumentStarts is { } tensor)
        {
            var starts = TensorMemory.AsSpan<bool>(tensor).Slice((index / _z.Heads * _z.Length) + first, count);
            for (int t = 0; t < count; t++)
            {
                if (starts[t])
                {
                    block.Decay.AsSpan(t * _z.PaddedSlots, _z.PaddedSlots).Clear();
                }
            }
        }
    }

    /// <summary>Copies rows out of a tensor [B, T, Hkv · rows, width] into padded rows, of tokens <paramref name="first"/> and on.</summary>
    internal void Pack(Tensor tensor, int first, int count, int rows, int width, float[] packed, int padded)
    {
        (rows, width, padded) = Joined(rows, width, padded);
        var source = TensorMemory.AsSpan<float>(tensor);
        for (int t = 0; t < count; t++)
        {
            int row = _z.Row(index, first + t, rows * width);
            for (int r = 0; r < rows; r++)
            {
                source.Slice(row + (r * width), width).CopyTo(packed.AsSpan(((t * rows) + r) * padded));
            }
        }
    }

    /// <summary>Copies padded rows into a tensor's [B, T, Hkv · rows, width], of tokens <paramref name="first"/> and on.</summary>
    internal void Unpack(float[] packed, int padded, Tensor tensor, int first, int count, int rows, int width)
    {
        (rows, width, padded) = Joined(rows, width, padded);
        var target = TensorMemory.AsSpan<float>(tensor);
        for (int t = 0; t < count; t++)
        {
            int row = _z.Row(index, first + t, rows * width);
            for (int r = 0; r < rows; r++)
            {
                packed.AsSpan(((t * rows) + r) * padded, width).CopyTo(target[(row + (r * width))..]);
            }
        }
    }

    // Rows without padding lie one after another on both sides: one copy for all query heads of the group.
    private static (int Rows, int Width, int Padded) Joined(int rows, int width, int padded) =>
        width == padded ? (1, rows * width, rows * width) : (rows, width, padded);
}
