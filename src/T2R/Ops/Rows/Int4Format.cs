using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using T2R.Ops.Quantized;

namespace T2R.Ops.Rows;

/// <summary>
/// int4 codes times bf16 scales: <see cref="QuantizedFormat"/>. Sixteen words of four codes each give up a vector with one shift, so that a vector holds every fourth weight of
/// a group: it is multiplied by inputs that <see cref="Turn"/> has put into that order.
/// </summary>
/// <param name="codes">The matrix's codes, two to a byte.</param>
/// <param name="scales">A scale for each 64 of them.</param>
internal readonly ref struct Int4Format(ReadOnlySpan<byte> codes, ReadOnlySpan<ushort> scales) : IWeightFormat
{
    private readonly ref byte _codes = ref MemoryMarshal.GetReference(codes);
    private readonly BFloat16Format _scales = new(scales);

    /// <summary>Puts a row of inputs into the order that this format has: of each 64 those at 0, 4, 8, … first, then those at 1, 5, 9, … and so on.</summary>
    /// <param name="row">The row, whole groups.</param>
    internal static void Turn(Span<float> row)
    {
        const int Words = IWeightFormat.GroupLength / 4;
        Span<float> copy = stackalloc float[IWeightFormat.GroupLength];
        for (int start = 0; start < row.Length; start += copy.Length)
        {
            var group = row.Slice(start, copy.Length);
            group.CopyTo(copy);
            for (int word = 0; word < Words; word++)
            {
                group[word] = copy[4 * word];
                group[Words + word] = copy[(4 * word) + 1];
                group[(2 * Words) + word] = copy[(4 * word) + 2];
                group[(3 * Words) + word] = copy[(4 * word) + 3];
            }
        }
    }

    /// <inheritdoc />
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (Vector512<float> A, Vector512<float> B, Vector512<float> C, Vector512<float> D) Group(nint index)
    {
        var words = Vector512.WidenLower(Vector256.LoadUnsafe(ref Unsafe.Add(ref _codes, index >>> 1)).AsUInt16().ToVector512Unsafe());
        var numbers = Vector512.Create(-8f, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7) * Scale(index);
        return (Look(numbers, words), Look(numbers, words >>> 4), Look(numbers, words >>> 8), Look(numbers, words >>> 12));
    }

    /// <inheritdoc />
    public float At(nint index) => (((Unsafe.Add(ref _codes, index >>> 1) >> (int)((index & 1) * 4)) & 15) - 8) * Scale(index);

    // The number that each word's lowest four bits mean.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Look(Vector512<float> numbers, Vector512<uint> words)
    {
        if (Avx512F.IsSupported)
        {
            return Avx512F.PermuteVar16x32(numbers, words.AsInt32());
        }

        // The number of code 9 is the scale itself.
        return Vector512.ConvertToSingle((words & Vector512.Create(15u)).AsInt32() - Vector512.Create(8)) * numbers[9];
    }

    // Places are not negative, and a shift is cheaper than a division that need not know.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private float Scale(nint index) => _scales.At(index >>> 6);
}
