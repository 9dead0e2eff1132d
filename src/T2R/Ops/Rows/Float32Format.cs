using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector512;

namespace T2R.Ops.Rows;

/// <summary>fp32, as it is.</summary>
/// <param name="first">The matrix's first weight.</param>
internal readonly ref struct Float32Format(ref float first) : IWeightFormat
{
    /// <summary>The matrix's first weight.</summary>
    internal readonly ref float First = ref first;

    /// <inheritdoc />
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public (Vector512<float> A, Vector512<float> B, Vector512<float> C, Vector512<float> D) Group(nint index)
    {
        ref float group = ref Unsafe.Add(ref First, index);
        return (LoadUnsafe(ref group), LoadUnsafe(ref group, 16), LoadUnsafe(ref group, 32), LoadUnsafe(ref group, 48));
    }

    /// <inheritdoc />
    public float At(nint index) => Unsafe.Add(ref First, index);
}
