using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using T2R.Interop;

namespace T2R.Ops.AdamW;

/// <summary>Moments in eight bits on the CPU, read and written a block at a time as fp32.</summary>
internal readonly ref struct CpuEightBit(AdamWState state)
{
    private readonly Span<byte> _means = TensorMemory.AsSpan<byte>(state.Mean), _spreads = TensorMemory.AsSpan<byte>(state.Spread);
    private readonly Span<float> _meanScales = TensorMemory.AsSpan<float>(state.MeanScale!), _spreadScales = TensorMemory.AsSpan<float>(state.SpreadScale!);

    /// <summary>Reads a block.</summary>
    /// <param name="block">Which.</param>
    /// <param name="count">How many numbers it has.</param>
    /// <param name="m">Receives m.</param>
    /// <param name="v">Receives v.</param>
    public void Load(int block, int count, Span<Vector256<float>> m, Span<Vector256<float>> v)
    {
        Span<ulong> means = stackalloc ulong[m.Length], spreads = stackalloc ulong[m.Length];
        means.Clear();
        spreads.Clear();
        _means.Slice(block * EightBitCode.Block, count).CopyTo(MemoryMarshal.AsBytes(means));
        _spreads.Slice(block * EightBitCode.Block, count).CopyTo(MemoryMarshal.AsBytes(spreads));
        for (int i = 0; i < m.Length; i++)
        {
            m[i] = EightBitCode.DecodeMean(Widen(means[i])) * _meanScales[block];
            var root = EightBitCode.DecodeSpread(Widen(spreads[i])) * _spreadScales[block];
            v[i] = root * root;
        }
    }

    /// <summary>Writes a block.</summary>
    /// <param name="block">Which.</param>
    /// <param name="count">How many numbers it has.</param>
    /// <param name="m">m.</param>
    /// <param name="v">v; overwritten.</param>
    /// <param name="hash">The random bits.</param>
    public void Store(int block, int count, ReadOnlySpan<Vector256<float>> m, Span<Vector256<float>> v, ReadOnlySpan<Vector256<uint>> hash)
    {
        Span<ulong> means = stackalloc ulong[m.Length], spreads = stackalloc ulong[m.Length];
        var (largestMean, largestSpread) = (Vector256<float>.Zero, Vector256<float>.Zero);
        for (int i = 0; i < m.Length; i++)
        {
            v[i] = Vector256.Sqrt(v[i]);
            largestMean = Larger(largestMean, Vector256.Abs(m[i]));
            largestSpread = Larger(largestSpread, v[i]);
        }

        var (meanScale, overMean) = Scale(largestMean);
        var (spreadScale, overSpread) = Scale(largestSpread);
        for (int i = 0; i < m.Length; i++)
        {
            means[i] = Narrow(EightBitCode.EncodeMean(m[i] * overMean, RandomBits.ForMean(hash[i])));
            spreads[i] = Narrow(EightBitCode.EncodeSpread(v[i] * overSpread, RandomBits.ForSpread(hash[i])));
        }

        (_meanScales[block], _spreadScales[block]) = (meanScale, spreadScale);
        MemoryMarshal.AsBytes(means)[..count].CopyTo(_means[(block * EightBitCode.Block)..]);
        MemoryMarshal.AsBytes(spreads)[..count].CopyTo(_spreads[(block * EightBitCode.Block)..]);
    }

    // The largest of a block and what to multiply by to get numbers up to 1.
    private static (float Scale, float Over) Scale(Vector256<float> largest)
    {
        float scale = 0;
        for (int i = 0; i < Vector256<float>.Count; i++)
        {
            scale = largest[i] > scale ? largest[i] : scale;
        }

        return scale < EightBitCode.SmallestScale ? (0, 0) : (scale, 1 / scale);
    }

    private static Vector256<float> Larger(Vector256<float> a, Vector256<float> b) => Vector256.ConditionalSelect(Vector256.GreaterThan(b, a), b, a);

    private static Vector256<uint> Widen(ulong eightCodes)
    {
        var wide = Vector128.WidenLower(Vector128.CreateScalar(eightCodes).AsByte());
        return Vector256.Create(Vector128.WidenLower(wide), Vector128.WidenUpper(wide));
    }

    private static ulong Narrow(Vector256<uint> codes)
    {
        var half = Vector128.Narrow(codes.GetLower(), codes.GetUpper());
        return Vector128.Narrow(half, half).AsUInt64().ToScalar();
    }
}
