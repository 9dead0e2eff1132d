using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static T2R.Ops.GatedSlot.CpuVector;

namespace T2R.Ops.GatedSlot;

/// <summary>Four rows of eight floats: a piece of a state that stays in registers while tokens pass.</summary>
/// <param name="A">The first row.</param>
/// <param name="B">The second.</param>
/// <param name="C">The third.</param>
/// <param name="D">The fourth.</param>
internal readonly record struct CpuTile(Vector256<float> A, Vector256<float> B, Vector256<float> C, Vector256<float> D)
{
    internal const int Rows = 4, Length = Rows * CpuSizes.Width;

    /// <summary>Reads the rows at <paramref name="at"/>, <paramref name="stride"/> floats apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static CpuTile Read(ref float origin, int at, int stride = CpuSizes.Width) => new(
        Load(ref origin, at), Load(ref origin, at + stride), Load(ref origin, at + (2 * stride)), Load(ref origin, at + (3 * stride)));

    /// <summary>Writes the rows at <paramref name="at"/>, <paramref name="stride"/> floats apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Write(ref float origin, int at, int stride = CpuSizes.Width)
    {
        Store(A, ref origin, at);
        Store(B, ref origin, at + stride);
        Store(C, ref origin, at + (2 * stride));
        Store(D, ref origin, at + (3 * stride));
    }

    /// <summary>Every row times the same vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal CpuTile Times(Vector256<float> lanes) => new(A * lanes, B * lanes, C * lanes, D * lanes);

    /// <summary>Each row times its own number, of four that lie together.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal CpuTile Times(ref float rows) => new(A * rows, B * At(ref rows, 1), C * At(ref rows, 2), D * At(ref rows, 3));

    /// <summary>The outer product of four numbers that lie together and a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static CpuTile Outer(ref float rows, Vector256<float> lanes) =>
        new(lanes * rows, lanes * At(ref rows, 1), lanes * At(ref rows, 2), lanes * At(ref rows, 3));

    /// <summary>This tile plus an outer product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal CpuTile PlusOuter(ref float rows, Vector256<float> lanes) => new(
        MultiplyAdd(lanes, rows, A), MultiplyAdd(lanes, At(ref rows, 1), B), MultiplyAdd(lanes, At(ref rows, 2), C), MultiplyAdd(lanes, At(ref rows, 3), D));

    /// <summary>This tile, every row times the same vector, plus another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal CpuTile TimesPlus(Vector256<float> lanes, CpuTile other) => new(
        MultiplyAdd(A, lanes, other.A), MultiplyAdd(B, lanes, other.B), MultiplyAdd(C, lanes, other.C), MultiplyAdd(D, lanes, other.D));

    /// <summary>This tile, each row times its own number, plus another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal CpuTile TimesPlus(ref float rows, CpuTile other) => new(
        MultiplyAdd(A, rows, other.A), MultiplyAdd(B, At(ref rows, 1), other.B), MultiplyAdd(C, At(ref rows, 2), other.C), MultiplyAdd(D, At(ref rows, 3), other.D));

    /// <summary>This tile, element by element times another, plus a third.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal CpuTile TimesPlus(CpuTile other, CpuTile third) => new(
        MultiplyAdd(A, other.A, third.A), MultiplyAdd(B, other.B, third.B), MultiplyAdd(C, other.C, third.C), MultiplyAdd(D, other.D, third.D));

    /// <summary>Adds to a vector in memory the sum of the rows, each times its own number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void AddRowsTo(ref float target, int at, ref float rows)
    {
        var sum = MultiplyAdd(A, rows, Load(ref target, at));
        sum = MultiplyAdd(B, At(ref rows, 1), sum);
        sum = MultiplyAdd(C, At(ref rows, 2), sum);
        Store(MultiplyAdd(D, At(ref rows, 3), sum), ref target, at);
    }

    /// <summary>Adds to a vector in memory the sum of the rows, element by element times another tile's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void AddRowsTo(ref float target, int at, CpuTile other)
    {
        var sum = MultiplyAdd(A, other.A, Load(ref target, at));
        sum = MultiplyAdd(B, other.B, sum);
        sum = MultiplyAdd(C, other.C, sum);
        Store(MultiplyAdd(D, other.D, sum), ref target, at);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float At(ref float origin, int index) => Unsafe.Add(ref origin, index);
}
