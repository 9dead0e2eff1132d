using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using T2R.Ops.Quantized;

namespace T2R.Ops.Rows;

/// <summary>
/// int4 codes times bf16 scales: <see cref="QuantizedFormat"/>. Sixteen weights of a group are every fourth one, since sixteen words of four codes give them up with one
/// shift: it reads rows of inputs that <see cref="Turn"/> has put into that order.
/// </summary>
/// <param name="codes">The matrix's codes, two to a byte.</param>
/// <param name="scales">A scale for each 64 of them.</param>
internal readonly ref struct Int4Format(ReadOnlySpan<byte> codes, ReadOnlySpan<ushort> scales) : IWeightFormat
{
    private const int Bits = 4, CodesOfWord = 4;

    private readonly ref byte _codes = ref MemoryMarshal.GetReference(codes);
    private readonly ref ushort _scales = ref MemoryMarshal.GetReference(scales);

    /// <inheritdoc />
    public static int GroupLength => QuantizedFormat.GroupLength;

    /// <summary>Puts a row of inputs into the order that this format reads it in: of each 64 those at 0, 4, 8, … first, then those at 1, 5, 9, … and so on.</summary>
    /// <param name="row">The row, whole groups.</param>
    internal static void Turn(Span<float> row)
    {
        Span<float> copy = stackalloc float[QuantizedFormat.GroupLength];
        for (int start = 0; start < row.Length; start += QuantizedFormat.GroupLength)
        {
            var group = row.Slice(start, QuantizedFormat.GroupLength);
            group.CopyTo(copy);
            for (int i = 0; i < copy.Length; i++)
            {
                group[(i % CodesOfWord * (copy.Length / CodesOfWord)) + (i / CodesOfWord)] = copy[i];
            }
        }
    }

    /// <inheritdoc />
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public WeightGroup Group(nint index) => new(
        ref Unsafe.Add(ref _codes, index / 2),
        Vector512.Create(-8f, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7) * Scale(index));

    /// <inheritdoc />
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(WeightGroup group, nuint offset)
    {
        var words = Vector512.WidenLower(Vector256.LoadUnsafe(ref group.First).AsUInt16().ToVector512Unsafe());
        var codes = words >>> ((int)offset / (QuantizedFormat.GroupLength / CodesOfWord) * Bits);
        if (Avx512F.IsSupported)
        {
            // Looks at the lowest four bits alone.
            return Avx512F.PermuteVar16x32(group.Scale, codes.AsInt32());
        }

        var numbers = Vector512.ConvertToSingle((codes & Vector512.Create(15u)).AsInt32() - Vector512.Create(8));
        return numbers * group.Scale[9];
    }

    /// <inheritdoc />
    public float At(nint index) => (((Unsafe.Add(ref _codes, index / 2) >> (int)(index % 2 * Bits)) & 15) - 8) * Scale(index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private float Scale(nint index) => BitConverter.UInt32BitsToSingle((uint)Unsafe.Add(ref _scales, index / QuantizedFormat.GroupLength) << 16);
}
