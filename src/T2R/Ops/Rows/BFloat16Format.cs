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
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (Vector512<float> A, Vector512<float> B, Vector512<float> C, Vector512<float> D) Group(nint index)
    {
        ref ushort first = ref Unsafe.Add(ref _weights, index);
        return (Wide(ref first, 0), Wide(ref first, 16), Wide(ref first, 32), Wide(ref first, 48));
    }

    /// <inheritdoc />
    public float At(nint index) => BitConverter.UInt32BitsToSingle((uint)Unsafe.Add(ref _weights, index) << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Wide(ref ushort first, nuint offset) =>
        (Vector512.WidenLower(Vector256.LoadUnsafe(ref first, offset).ToVector512Unsafe()) << 16).AsSingle();
}
