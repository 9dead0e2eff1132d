using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using T2R.Ops.Quantized;

namespace T2R.Ops.Rows;

/// <summary>int8 codes times bf16 scales: <see cref="QuantizedFormat"/>.</summary>
/// <param name="codes">The matrix's codes.</param>
/// <param name="scales">A scale for each 64 of them.</param>
internal readonly ref struct Int8Format(ReadOnlySpan<sbyte> codes, ReadOnlySpan<ushort> scales) : IWeightFormat
{
    private readonly ref sbyte _codes = ref MemoryMarshal.GetReference(codes);
    private readonly ref ushort _scales = ref MemoryMarshal.GetReference(scales);

    /// <inheritdoc />
    public static int GroupLength => QuantizedFormat.GroupLength;

    /// <inheritdoc />
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public WeightGroup Group(nint index) => new(ref Unsafe.As<sbyte, byte>(ref Unsafe.Add(ref _codes, index)), Vector512.Create(Scale(index)));

    /// <inheritdoc />
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(WeightGroup group, nuint offset)
    {
        var codes = Vector128.LoadUnsafe(ref Unsafe.As<byte, sbyte>(ref group.First), offset);
        var half = Vector256.WidenLower(codes.ToVector256Unsafe());
        return Vector512.ConvertToSingle(Vector512.WidenLower(half.ToVector512Unsafe())) * group.Scale;
    }

    /// <inheritdoc />
    public float At(nint index) => Unsafe.Add(ref _codes, index) * Scale(index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private float Scale(nint index) => BitConverter.UInt32BitsToSingle((uint)Unsafe.Add(ref _scales, index / QuantizedFormat.GroupLength) << 16);
}
