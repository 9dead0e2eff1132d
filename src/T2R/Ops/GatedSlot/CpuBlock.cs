using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace T2R.Ops.GatedSlot;

/// <summary>What the recurrence reads of a block of tokens of one key-value head, in padded rows.</summary>
/// <param name="z">The sizes.</param>
internal sealed class CpuBlock(CpuSizes z)
{
    /// <summary>Tokens of this block, at most <see cref="CpuSizes.BlockLength"/>.</summary>
    internal int Count { get; set; }

    /// <summary>[token, query head of the group, K].</summary>
    internal float[] Queries { get; } = new float[CpuSizes.BlockLength * z.Groups * z.PaddedKey];

    /// <summary>[token, K].</summary>
    internal float[] Keys { get; } = new float[CpuSizes.BlockLength * z.PaddedKey];

    /// <summary>[token, V].</summary>
    internal float[] Values { get; } = new float[CpuSizes.BlockLength * z.PaddedValue];

    /// <summary>[token, M].</summary>
    internal float[] Write { get; } = new float[CpuSizes.BlockLength * z.PaddedSlots];

    /// <summary>[token, M]: exp(g), and 0 where a document starts.</summary>
    internal float[] Decay { get; } = new float[CpuSizes.BlockLength * z.PaddedSlots];

    /// <summary>Turns the g that <see cref="Decay"/> holds into exp(g).</summary>
    internal void ExpDecay()
    {
        foreach (ref var vector in MemoryMarshal.Cast<float, Vector256<float>>(Decay.AsSpan()))
        {
            vector = CpuVector.Exp(vector);
        }
    }
}
