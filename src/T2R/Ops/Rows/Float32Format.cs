using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace T2R.Ops.Rows;

/// <summary>fp32, as it is.</summary>
/// <param name="weights">The matrix.</param>
internal readonly ref struct Float32Format(ReadOnlySpan<float> weights) : IWeightFormat
{
    private readonly ref float _weights = ref MemoryMarshal.GetReference(weights);

    /// <inheritdoc />
    public static int GroupLength => 64;

    /// <inheritdoc />
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public WeightGroup Group(nint index) => new(ref Unsafe.As<float, byte>(ref Unsafe.Add(ref _weights, index)));

    /// <inheritdoc />
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(WeightGroup group, nuint offset) => Vector512.LoadUnsafe(ref Unsafe.As<byte, float>(ref group.First), offset);

    /// <inheritdoc />
    public float At(nint index) => Unsafe.Add(ref _weights, index);
}
