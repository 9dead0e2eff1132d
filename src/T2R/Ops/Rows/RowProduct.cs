using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace T2R.Ops.Rows;

/// <summary>
/// y = x Wᵀ, or y + x Wᵀ, in fp32 for some rows x, whatever W is stored in, on one thread. A sum is formed in blocks of 1 024 columns, one after another: the order is
/// the same for any number of rows. W is read from memory once. Few rows read it as it is stored; for many it is turned into fp32 first, a block that stays in the cache
/// at a time.
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

    // From this many rows on it is cheaper to turn weights into fp32 once than anew for every four.
    private const int ManyRows = 9;

    [ThreadStatic]
    private static RowBuffer? _decoded;

    private readonly ref float _x = ref MemoryMarshal.GetReference(x);
    private readonly ref float _y = ref MemoryMarshal.GetReference(y);
    private readonly int _columns = columns, _xStride = xStride, _count = count, _yStride = yStride, _whole = columns / AlignedFloats.Line * AlignedFloats.Line;
    private readonly bool _adds = adds;

    /// <summary>Multiplies by rows of W, and so makes columns of y.</summary>
    /// <param name="weights">W.</param>
    /// <param name="first">The first row.</param>
    /// <param name="end">The row after the last.</param>
    internal void Run<TFormat>(TFormat weights, int first, int end)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        bool decodes = _count >= ManyRows && typeof(TFormat) != typeof(Float32Format);
        for (int row = first; row < end; row += 4)
        {
            // Where there are fewer than four rows, the last one stands in for those that lack, and its results are not kept.
            var four = new FourRows(Place(row), Place(Math.Min(row + 1, end - 1)), Place(Math.Min(row + 2, end - 1)), Place(Math.Min(row + 3, end - 1)));
            int kept = Math.Min(4, end - row);
            for (int column = 0; column < _whole; column += BlockColumns)
            {
                int length = Math.Min(BlockColumns, _whole - column);
                if (decodes)
                {
                    var decoded = _decoded ??= new RowBuffer(4, BlockColumns);
                    Decode(weights, four + column, length, decoded);
                    var places = new FourRows(0, decoded.Stride, 2 * decoded.Stride, 3 * decoded.Stride);
                    Block(new Float32Format(decoded.From(0)), places, row, kept, column, length);
                }
                else
                {
                    Block(weights, four + column, row, kept, column, length);
                }
            }

            if (_whole < _columns)
            {
                AddRest(weights, row, kept);
            }
        }
    }

    private nint Place(int row) => (nint)row * _columns;

    private void Block<TFormat>(TFormat weights, FourRows four, int row, int kept, int column, int length)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        bool sums = _adds || column > 0;
        ref float from = ref Unsafe.Add(ref _x, column);
        ref float to = ref Unsafe.Add(ref _y, row);
        int i = 0;
        if (_count > 1 && Vector512.IsHardwareAccelerated)
        {
            for (; i < _count; i += 4)
            {
                var (y0, y1, y2, y3) = ProductTile.Four(weights, four, ref Unsafe.Add(ref from, i * _xStride), _xStride, length);
                ref float target = ref Unsafe.Add(ref to, i * _yStride);
                Put(y0, ref target, kept, sums);
                Put(y1, ref Unsafe.Add(ref target, _yStride), kept, sums);
                Put(y2, ref Unsafe.Add(ref target, 2 * _yStride), kept, sums);
                Put(y3, ref Unsafe.Add(ref target, 3 * _yStride), kept, sums);
            }
        }

        // One row at a time is as good where sixteen sums of sixteen lanes do not fit into the registers.
        for (; i < _count; i++)
        {
            Put(ProductTile.One(weights, four, ref Unsafe.Add(ref from, i * _xStride), length), ref Unsafe.Add(ref to, i * _yStride), kept, sums);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector128<float> values, ref float target, int kept, bool sums)
    {
        if (kept == 4)
        {
            (sums ? Vector128.LoadUnsafe(ref target) + values : values).StoreUnsafe(ref target);
            return;
        }

        for (int j = 0; j < kept; j++)
        {
            ref float y = ref Unsafe.Add(ref target, j);
            y = sums ? y + values[j] : values[j];
        }
    }

    // Columns beyond the last whole vector: in small models alone.
    private void AddRest<TFormat>(TFormat weights, int row, int kept)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        for (int i = 0; i < _count; i++)
        {
            for (int j = 0; j < kept; j++)
            {
                ref float y = ref Unsafe.Add(ref _y, (i * _yStride) + row + j);
                float sum = _adds || _whole > 0 ? y : 0;
                for (int column = _whole; column < _columns; column++)
                {
                    sum += weights.At(Place(row + j) + column) * Unsafe.Add(ref _x, (i * _xStride) + column);
                }

                y = sum;
            }
        }
    }

    private static void Decode<TFormat>(TFormat weights, FourRows four, int length, RowBuffer decoded)
        where TFormat : struct, IWeightFormat, allows ref struct
    {
        ref float to = ref MemoryMarshal.GetReference(decoded.From(0));
        for (int j = 0; j < 4; j++)
        {
            nint place = j switch { 0 => four.A, 1 => four.B, 2 => four.C, _ => four.D };
            for (int first = 0; first < length; first += TFormat.GroupLength)
            {
                var group = weights.Group(place + first);
                nuint end = (nuint)Math.Min(TFormat.GroupLength, length - first);
                for (nuint i = 0; i < end; i += AlignedFloats.Line)
                {
                    TFormat.Load(group, i).StoreUnsafe(ref to, (nuint)((j * decoded.Stride) + first) + i);
                }
            }
        }
    }
}
