using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>Bytes that the chunk form holds for one layer beside inputs, output and their gradients.</summary>
/// <param name="Kept">From the forward to the backward: states.</param>
/// <param name="Backward">While the backward runs.</param>
internal sealed record ChunkMemory(long Kept, long Backward)
{
    private const int Half = 2, Single = 4;

    /// <summary>Of a call with the maps before it.</summary>
    /// <param name="batch">B.</param>
    /// <param name="length">T.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="keyValueHeads">Hkv.</param>
    /// <param name="headDim">K = V.</param>
    /// <param name="slots">M.</param>
    /// <param name="dtype">Of the inputs.</param>
    /// <param name="slotsAtOnce">Of tensor operators: <see cref="GatedSlotMaps.Apply"/>.</param>
    /// <param name="onCard">Whether it runs on a card, where there are kernels for most shapes.</param>
    public static ChunkMemory Of(long batch, long length, long heads, long keyValueHeads, long headDim, long slots, ScalarType dtype, long slotsAtOnce, bool onCard)
    {
        long items = batch * keyValueHeads, state = 2 * headDim * slots;
        if (onCard && dtype == ScalarType.BFloat16 && CudaKernels.Unfit(headDim, headDim, slots) is null)
        {
            long chunks = CudaKernels.Chunks(length), states = items * chunks * state * Half;
            return new ChunkMemory(
                states + (items * ((chunks * slots) + state) * Single),
                states + (batch * length * slots * ((2 * heads * Half) + (keyValueHeads * Single))) + (2 * items * state * Single));
        }

        long segment = SegmentedChunk.SegmentLength(batch, keyValueHeads, slots, slotsAtOnce);
        return new ChunkMemory(
            items * state * (((length + segment - 1) / segment) + 1) * Single,
            SegmentedChunk.BytesOfSlot * items * Math.Min(length, segment) * slots);
    }
}
