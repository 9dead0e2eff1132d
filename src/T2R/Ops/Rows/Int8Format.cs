using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using T2R.Ops.Quantized;

namespace T2R.Ops.Rows;

/// <summary>int8 codes times bf16 scales: <see cref="QuantizedFormat"/>.</summary>
/// <param name="codes">The matrix's codes.</param>
/// <param name="scales">A scale for each 64 of them.</param>
internal readonly ref struct Int8Format(ReadOnlySpan<sbyte> codes, ReadOnlySpan<ushort> scales) : IWeightFormat
{
    private readonly ref sbyte _codes = ref MemoryMarshal.GetReference(codes);
    private readonly BFloat16Format _scales = new(scales);

    /// <inheritdoc />
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (Vector512<float> A, Vector512<float> B, Vector512<float> C, Vector512<float> D) Group(nint index)
    {
        ref sbyte first = ref Unsafe.Add(ref _codes, index);
        var scale = Vector512.Create(Scale(index));
        return (Wide(ref first, 0) * scale, Wide(ref first, 16) * scale, Wide(ref first, 32) * scale, Wide(ref first, 48) * scale);
    }

    /// <inheritdoc />
    public float At(nint index) => Unsafe.Add(ref _codes, index) * Scale(index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Wide(ref sbyte first, nuint offset)
    {
        var codes = Vector128.LoadUnsafe(ref first, offset);
        return Vector512.ConvertToSingle(Avx512F.IsSupported
            ? Avx512F.ConvertToVector512Int32(codes)
            : Vector512.WidenLower(Vector256.WidenLower(codes.ToVector256Unsafe()).ToVector512Unsafe()));
    }

    // Places are not negative, and a shift is cheaper than a division that need not know.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private float Scale(nint index) => _scales.At(index >>> 6);
}
