using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace T2R.Ops.Rows;

/// <summary>bf16: the upper half of fp32.</summary>
/// <param name="weights">The matrix's bits.</param>
internal readonly ref struct BFloat16Format(ReadOnlySpan<ushort> weights) : IWeightFormat
{
    private readonly ref ushort _weights = ref MemoryMarshal.GetReference(weights);

    /// <inheritdoc />
    public static int GroupLength => 64;

    /// <inheritdoc />
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public WeightGroup Group(nint index) => new(ref Unsafe.As<ushort, byte>(ref Unsafe.Add(ref _weights, index)));

    /// <inheritdoc />
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(WeightGroup group, nuint offset)
    {
        var bits = Vector256.LoadUnsafe(ref Unsafe.As<byte, ushort>(ref group.First), offset);
        return (Vector512.WidenLower(bits.ToVector512Unsafe()) << 16).AsSingle();
    }

    /// <inheritdoc />
    public float At(nint index) => BitConverter.UInt32BitsToSingle((uint)Unsafe.Add(ref _weights, index) << 16);
}
