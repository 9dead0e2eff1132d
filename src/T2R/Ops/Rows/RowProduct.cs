using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace T2R.Ops.Rows;

/// <summary>
/// y = x Wᵀ, or y + x Wᵀ, in fp32 for some rows x, whatever W is stored in, on one thread. A sum is formed in blocks of 1 024 columns, one after another: the order is
/// the same for any number of rows. W is read from memory once. A single row takes it as it is stored; for several it is turned into fp32 first, a block that stays in the
/// cache at a time.
/// </summary>
/// <param name="columns">Columns of W, I; for a format that shares scales, a multiple of its groups.</param>
/// <param name="x">The inputs; what one row of them has beyond I is not read.</param>
/// <param name="xStride">Floats from one row of inputs to the next.</param>
/// <param name="count">Rows of inputs; unless it is 1, x and y have memory for the next multiple of four, and in y it is overwritten.</param>
/// <param name="y">Receives the results; a row's first belongs to the first row of W.</param>
/// <param name="yStride">Floats from one row of results to the next.</param>
/// <param name="adds">Whether the results are added to what y holds.</param>
internal readonly ref struct RowProduct(int columns, ReadOnlySpan<float> x, int xStride, int count, Span<float> y, int yStride, bool adds)
{
    // Four rows of weights and four of inputs of so many columns lie in the first-level cache.
    private const int BlockColumns = 1024;

    [ThreadStatic]
    private static RowBuffer? _decoded;

    private readonly ref float _x = ref MemoryMarshal.GetReference(x);
    private readonly ref float _y = ref MemoryMarshal.GetReference(y);
    private readonly int _columns = columns, _xStride = xStride, _count = count, _yStride = yStride, _whole = columns / IWeightFormat.GroupLength * IWeightFormat.GroupLength;
    private readonly bool _adds = adds;

    /// <summary>Multiplies by rows of W, and so makes columns of y.</summary>
    /// <param name="weights">W.</param>
    /// <param name="first">The first row.</param>
    /// <param name="end">The row after the last.</param>
    internal void Run<TFormat>(TFormat weights, int first, int end)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        for (int row = first; row < end; row += 4)
        {
            // Where there are fewer than four rows, the last one stands in for those that lack, and its results are not kept.
            var four = new FourRows(Place(row), Place(Math.Min(row + 1, end - 1)), Place(Math.Min(row + 2, end - 1)), Place(Math.Min(row + 3, end - 1)));
            int kept = Math.Min(4, end - row);
            for (int column = 0; column < _whole; column += BlockColumns)
            {
                int length = Math.Min(BlockColumns, _whole - column);
                if (_count == 1)
                {
                    Put(ProductTile.One(weights, four + column, ref X(0, column), length), ref Y(0, row), kept, column);
                }
                else
                {
                    Several(weights, four + column, row, kept, column, length);
                }
            }

            if (_whole < _columns)
            {
                AddRest(weights, row, kept);
            }
        }
    }

    private nint Place(int row) => (nint)row * _columns;

    private ref float X(int row, int column) => ref Unsafe.Add(ref _x, ((nint)row * _xStride) + column);

    private ref float Y(int row, int column) => ref Unsafe.Add(ref _y, ((nint)row * _yStride) + column);

    private void Several<TFormat>(TFormat weights, FourRows four, int row, int kept, int column, int length)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        if (typeof(TFormat) == typeof(Float32Format))
        {
            ByFours(ref Unsafe.As<TFormat, Float32Format>(ref weights).First, four, row, kept, column, length);
            return;
        }

        var decoded = _decoded ??= new RowBuffer(4, BlockColumns);
        var places = new FourRows(0, decoded.Stride, 2 * decoded.Stride, 3 * decoded.Stride);
        ref float wide = ref MemoryMarshal.GetReference(decoded.From(0));
        Decode(weights, four.A, length, ref wide);
        Decode(weights, four.B, length, ref Unsafe.Add(ref wide, places.B));
        Decode(weights, four.C, length, ref Unsafe.Add(ref wide, places.C));
        Decode(weights, four.D, length, ref Unsafe.Add(ref wide, places.D));
        ByFours(ref wide, places, row, kept, column, length);
    }

    // Four rows of inputs at a time; one at a time is as good where sixteen sums of sixteen lanes do not fit into the registers.
    private void ByFours(ref float weights, FourRows four, int row, int kept, int column, int length)
    {
        if (!Vector512.IsHardwareAccelerated)
        {
            for (int i = 0; i < _count; i++)
            {
                Put(ProductTile.One(new Float32Format(ref weights), four, ref X(i, column), length), ref Y(i, row), kept, column);
            }

            return;
        }

        for (int i = 0; i < _count; i += 4)
        {
            var (y0, y1, y2, y3) = ProductTile.Four(ref weights, four, ref X(i, column), _xStride, length);
            Put(y0, ref Y(i, row), kept, column);
            Put(y1, ref Y(i + 1, row), kept, column);
            Put(y2, ref Y(i + 2, row), kept, column);
            Put(y3, ref Y(i + 3, row), kept, column);
        }
    }

    private static void Decode<TFormat>(TFormat weights, nint place, int length, ref float to)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        for (nint first = 0; first < length; first += IWeightFormat.GroupLength)
        {
            var group = weights.Group(place + first);
            ref float target = ref Unsafe.Add(ref to, first);
            group.A.StoreUnsafe(ref target);
            group.B.StoreUnsafe(ref target, 16);
            group.C.StoreUnsafe(ref target, 32);
            group.D.StoreUnsafe(ref target, 48);
        }
    }

    // The sums of a block of columns: the first are the results so far, others are added to them.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Put(Vector128<float> sums, ref float target, int kept, int column)
    {
        bool adds = _adds || column > 0;
        if (kept == 4)
        {
            (adds ? Vector128.LoadUnsafe(ref target) + sums : sums).StoreUnsafe(ref target);
            return;
        }

        for (int j = 0; j < kept; j++)
        {
            ref float y = ref Unsafe.Add(ref target, j);
            y = adds ? y + sums[j] : sums[j];
        }
    }

    // Columns beyond the last whole group: in small models alone.
    private void AddRest<TFormat>(TFormat weights, int row, int kept)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        for (int i = 0; i < _count; i++)
        {
            for (int j = 0; j < kept; j++)
            {
                ref float y = ref Y(i, row + j);
                float sum = _adds || _whole > 0 ? y : 0;
                for (int column = _whole; column < _columns; column++)
                {
                    sum += weights.At(Place(row + j) + column) * X(i, column);
                }

                y = sum;
            }
        }
    }
}
