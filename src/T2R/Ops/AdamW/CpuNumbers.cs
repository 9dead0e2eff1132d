using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Ops.AdamW;

/// <summary>An fp32 or bf16 tensor on the CPU, read and written a block at a time as fp32. Blocks have <see cref="EightBitCode.Block"/> numbers; what the last lacks is 0.</summary>
internal readonly ref struct CpuNumbers
{
    private readonly Span<float> _wide;
    private readonly Span<ushort> _half;

    /// <summary>The numbers from one on.</summary>
    /// <param name="tensor">All; contiguous.</param>
    /// <param name="first">Which is number 0 here.</param>
    public CpuNumbers(Tensor tensor, int first)
    {
        if (tensor.dtype == ScalarType.BFloat16)
        {
            _half = TensorMemory.AsSpan<ushort>(tensor)[first..];
        }
        else
        {
            _wide = TensorMemory.AsSpan<float>(tensor)[first..];
        }
    }

    /// <summary>Whether the numbers are bf16.</summary>
    public bool IsHalf => _half.Length > 0;

    /// <summary>Reads a block.</summary>
    /// <param name="start">Its first number.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="block">Receives them.</param>
    public void Load(int start, int count, Span<Vector256<float>> block)
    {
        if (IsHalf)
        {
            Span<Vector128<ushort>> bits = stackalloc Vector128<ushort>[block.Length];
            Fill(_half.Slice(start, count), MemoryMarshal.Cast<Vector128<ushort>, ushort>(bits));
            for (int i = 0; i < block.Length; i++)
            {
                block[i] = BFloat16Code.Decode(bits[i]);
            }
        }
        else
        {
            Fill(_wide.Slice(start, count), MemoryMarshal.Cast<Vector256<float>, float>(block));
        }
    }

    /// <summary>Writes a block; a bf16 number becomes one of its neighbours by chance.</summary>
    /// <param name="start">Its first number.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="block">The numbers.</param>
    /// <param name="random">16 bits for each.</param>
    public void StoreByChance(int start, int count, ReadOnlySpan<Vector256<float>> block, ReadOnlySpan<Vector256<uint>> random)
    {
        if (IsHalf)
        {
            Span<Vector128<ushort>> bits = stackalloc Vector128<ushort>[block.Length];
            for (int i = 0; i < block.Length; i++)
            {
                bits[i] = BFloat16Code.Encode(block[i], random[i]);
            }

            MemoryMarshal.Cast<Vector128<ushort>, ushort>(bits)[..count].CopyTo(_half[start..]);
        }
        else
        {
            MemoryMarshal.Cast<Vector256<float>, float>(block)[..count].CopyTo(_wide[start..]);
        }
    }

    /// <summary>Writes a block; a bf16 number becomes its nearest.</summary>
    /// <param name="start">Its first number.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="block">The numbers.</param>
    public void StoreNearest(int start, int count, ReadOnlySpan<Vector256<float>> block)
    {
        Span<Vector128<ushort>> bits = stackalloc Vector128<ushort>[block.Length];
        for (int i = 0; i < block.Length; i++)
        {
            bits[i] = BFloat16Code.Nearest(block[i]);
        }

        MemoryMarshal.Cast<Vector128<ushort>, ushort>(bits)[..count].CopyTo(_half[start..]);
    }

    private static void Fill<T>(ReadOnlySpan<T> from, Span<T> block)
        where T : unmanaged
    {
        from.CopyTo(block);
        block[from.Length..].Clear();
    }
}
