using static TorchSharp.torch;

namespace T2R.Ops.Quantized;

/// <summary>
/// The order in which the card's kernels read codes (<c>Ops/Decode/Weights.cuh</c>): tiles of 16 rows, in each groups of 64 columns, in each 16 bytes for each of 32 lanes at a
/// time. Lane l has the 16 columns from 16 (l mod 4) of rows ⌊l / 4⌋ and eight more; a few neighbours change places so that they come apart in pairs.
/// </summary>
internal static class LaneOrder
{
    /// <summary>Rows of a tile.</summary>
    public const int TileRows = 16;

    private const int Lanes = 8, Quarters = 4; // rows of a half tile, and lanes that share a row

    // Which column of each four, or eight, comes in which place.
    private static readonly long[] ByteOrder = [0, 2, 1, 3], NibbleOrder = [0, 2, 4, 6, 1, 3, 5, 7];

    /// <summary>Codes as kernels read them.</summary>
    /// <param name="format">What they mean.</param>
    /// <param name="codes">Row after row, <see cref="QuantizedFormat.CodeShape"/>; rows are a multiple of 16.</param>
    /// <returns>As many bytes, in one dimension.</returns>
    public static Tensor Pack(QuantizedFormat format, Tensor codes)
    {
        using var scope = NewDisposeScope();
        long rows = codes.shape[0];
        if (format == QuantizedFormat.EightBit)
        {
            return codes.view(rows / TileRows, 2, Lanes, -1, Quarters, 4, 4).permute(0, 3, 1, 2, 4, 5, 6).index_select(6, Places(ByteOrder, codes)).flatten().MoveToOuterDisposeScope();
        }

        var ordered = Nibbles(codes).view(rows / TileRows, 2, Lanes, -1, Quarters, 2, 8).permute(0, 3, 2, 4, 1, 5, 6).index_select(6, Places(NibbleOrder, codes));
        return Bytes(ordered.reshape(-1, 2)).MoveToOuterDisposeScope();
    }

    /// <summary>Codes row after row again.</summary>
    /// <param name="format">What they mean.</param>
    /// <param name="codes">What <see cref="Pack"/> gave.</param>
    /// <param name="rows">O.</param>
    public static Tensor Unpack(QuantizedFormat format, Tensor codes, long rows)
    {
        using var scope = NewDisposeScope();
        if (format == QuantizedFormat.EightBit)
        {
            return codes.view(rows / TileRows, -1, 2, Lanes, Quarters, 4, 4).index_select(6, Places(Inverse(ByteOrder), codes)).permute(0, 2, 3, 1, 4, 5, 6).reshape(rows, -1).MoveToOuterDisposeScope();
        }

        var ordered = Nibbles(codes.view(1, -1)).view(rows / TileRows, -1, Lanes, Quarters, 2, 2, 8).index_select(6, Places(Inverse(NibbleOrder), codes)).permute(0, 4, 2, 1, 3, 5, 6);
        return Bytes(ordered.reshape(-1, 2)).view(rows, -1).MoveToOuterDisposeScope();
    }

    /// <summary>Each byte's lower half, then its upper, in one more dimension.</summary>
    /// <param name="bytes">Of any shape.</param>
    public static Tensor Nibbles(Tensor bytes) =>
        stack([bytes.bitwise_and(tensor((byte)15, device: bytes.device)), bytes.bitwise_right_shift(tensor((byte)4, device: bytes.device))], -1);

    // The reverse of Nibbles.
    private static Tensor Bytes(Tensor nibbles_N2) => nibbles_N2.select(1, 1).bitwise_left_shift(tensor((byte)4, device: nibbles_N2.device)).bitwise_or(nibbles_N2.select(1, 0));

    private static Tensor Places(long[] order, Tensor like) => tensor(order, device: like.device);

    private static long[] Inverse(long[] order) => [.. Enumerable.Range(0, order.Length).Select(place => (long)Array.IndexOf(order, place))];
}
