using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>The sizes of a call, and the same rounded up to whole vectors: the kernel works on padded copies, so its loops have no tails.</summary>
internal sealed record CpuSizes(int Batch, int Length, int Heads, int Groups, int KeyDim, int Slots, int ValueDim)
{
    /// <summary>Tokens between two states that are kept for the backward pass: short enough for a block's vectors to stay in the first-level cache.</summary>
    internal const int BlockLength = 32;

    /// <summary>Floats of a vector.</summary>
    internal const int Width = 8;

    internal static CpuSizes Of(Tensor q, Tensor k, Tensor v, Tensor s) => new(
        (int)q.shape[0], (int)q.shape[1], (int)k.shape[2], (int)(q.shape[2] / k.shape[2]), (int)q.shape[3], (int)s.shape[3], (int)v.shape[3]);

    internal int PaddedKey => Pad(KeyDim);

    internal int PaddedSlots => Pad(Slots);

    internal int PaddedValue => Pad(ValueDim);

    /// <summary>Blocks of the text, the last one perhaps short.</summary>
    internal int Blocks => (Length + BlockLength - 1) / BlockLength;

    /// <summary>Floats of one padded state: keys [K, M], then values [M, V].</summary>
    internal int StateLength => PaddedSlots * (PaddedKey + PaddedValue);

    /// <summary>Pairs of a sequence and a key-value head; each is computed by one thread.</summary>
    internal int Items => Batch * Heads;

    /// <summary>The index of the first float of a token's row in a tensor [B, T, Hkv, width].</summary>
    internal int Row(int item, int token, int width) => checked((((item / Heads * Length) + token) * Heads + (item % Heads)) * width);

    private static int Pad(int size) => (size + Width - 1) / Width * Width;
}
