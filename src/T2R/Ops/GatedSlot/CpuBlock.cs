using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>The inputs of a block of tokens of one key-value head, copied into padded rows, and exp of the gates.</summary>
internal sealed class CpuBlock
{
    private readonly CpuInputs _inputs;
    private readonly int _item;

    internal CpuBlock(CpuInputs inputs, int item)
    {
        (_inputs, _item) = (inputs, item);
        var z = inputs.Sizes;
        Queries = new float[CpuSizes.BlockLength * z.Groups * z.PaddedKey];
        Keys = new float[CpuSizes.BlockLength * z.PaddedKey];
        Values = new float[CpuSizes.BlockLength * z.PaddedValue];
        Write = new float[CpuSizes.BlockLength * z.PaddedSlots];
        Decay = new float[CpuSizes.BlockLength * z.PaddedSlots];
    }

    /// <summary>Tokens of this block.</summary>
    internal int Count { get; private set; }

    /// <summary>[token, query head of the group, K].</summary>
    internal float[] Queries { get; }

    /// <summary>[token, K].</summary>
    internal float[] Keys { get; }

    /// <summary>[token, V].</summary>
    internal float[] Values { get; }

    /// <summary>[token, M].</summary>
    internal float[] Write { get; }

    /// <summary>[token, M]: exp(g), and 0 where a document starts.</summary>
    internal float[] Decay { get; }

    internal void Load(int block)
    {
        var z = _inputs.Sizes;
        int first = block * CpuSizes.BlockLength;
        Count = Math.Min(CpuSizes.BlockLength, z.Length - first);
        Pack(_inputs.Queries, first, z.Groups, z.KeyDim, Queries, z.PaddedKey);
        Pack(_inputs.Keys, first, 1, z.KeyDim, Keys, z.PaddedKey);
        Pack(_inputs.Values, first, 1, z.ValueDim, Values, z.PaddedValue);
        Pack(_inputs.Write, first, 1, z.Slots, Write, z.PaddedSlots);
        Pack(_inputs.LogForget, first, 1, z.Slots, Decay, z.PaddedSlots);
        foreach (ref var vector in MemoryMarshal.Cast<float, Vector256<float>>(Decay.AsSpan()))
        {
            vector = CpuVector.Exp(vector);
        }

        if (_inputs.DocumentStarts is { } tensor)
        {
            var starts = TensorMemory.AsSpan<bool>(tensor).Slice((_item / z.Heads * z.Length) + first, Count);
            for (int t = 0; t < Count; t++)
            {
                if (starts[t])
                {
                    Decay.AsSpan(t * z.PaddedSlots, z.PaddedSlots).Clear();
                }
            }
        }
    }

    /// <summary>Copies the block's rows out of a tensor [B, T, Hkv · rows, width] into padded rows.</summary>
    internal void Pack(Tensor tensor, int first, int rows, int width, float[] packed, int padded)
    {
        (rows, width, padded) = Joined(rows, width, padded);
        var source = TensorMemory.AsSpan<float>(tensor);
        for (int t = 0; t < Count; t++)
        {
            int row = _inputs.Sizes.Row(_item, first + t, rows * width);
            for (int r = 0; r < rows; r++)
            {
                source.Slice(row + (r * width), width).CopyTo(packed.AsSpan(((t * rows) + r) * padded));
            }
        }
    }

    /// <summary>Copies padded rows into the block's rows of a tensor [B, T, Hkv · rows, width].</summary>
    internal void Unpack(float[] packed, int padded, Tensor tensor, int first, int rows, int width)
    {
        (rows, width, padded) = Joined(rows, width, padded);
        var target = TensorMemory.AsSpan<float>(tensor);
        for (int t = 0; t < Count; t++)
        {
            int row = _inputs.Sizes.Row(_item, first + t, rows * width);
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
