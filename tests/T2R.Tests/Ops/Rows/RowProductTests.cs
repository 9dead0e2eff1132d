using T2R.Ops.Rows;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.Rows;

public sealed class RowProductTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    /// <summary>Both formats, all remainders by four rows of weights, widths on both sides of a vector, a group and a block, numbers of rows on both sides of every path.</summary>
    public static TheoryData<ScalarType, int, int, int> Cases =>
    [
        .. from dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 }
           from rows in new[] { 1, 6, 7, 64 }
           from columns in new[] { 5, 16, 40, 192, 1024, 1029, 2100 }
           from count in new[] { 1, 2, 4, 7, 9, 16 }
           select (dtype, rows, columns, count)
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_result_is_the_sum_in_double(ScalarType dtype, int rows, int columns, int count)
    {
        var (weights, x) = Operands(dtype, rows, columns, count);
        var y = new RowBuffer(count, rows);
        Multiply(weights, 0, rows, x, 0, count, y, adds: false);
        AssertClose(weights, x, count, y, start: 0);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Results_are_added_to_what_is_there(ScalarType dtype, int rows, int columns, int count)
    {
        var (weights, x) = Operands(dtype, rows, columns, count);
        var y = new RowBuffer(count, rows);
        for (int i = 0; i < count; i++)
        {
            y.Row(i).Fill(3);
        }

        Multiply(weights, 0, rows, x, 0, count, y, adds: true);
        AssertClose(weights, x, count, y, start: 3);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void A_row_has_the_same_bits_alone_as_among_others(ScalarType dtype)
    {
        const int Count = 21;
        foreach (int columns in new[] { 7, 64, 200, 1100, 2500 })
        {
            var (weights, x) = Operands(dtype, 10, columns, Count);
            var alone = new RowBuffer(Count, 10);
            for (int i = 0; i < Count; i++)
            {
                Multiply(weights, 0, 10, x, i, 1, alone, adds: false, yFirst: i);
            }

            foreach (int count in new[] { 2, 4, 8, 9, 16, Count })
            {
                var together = new RowBuffer(count, 10);
                Multiply(weights, 0, 10, x, 0, count, together, adds: false);
                Assert.All(Enumerable.Range(0, count), i => Assert.Equal(alone.Row(i).ToArray(), together.Row(i).ToArray()));
            }
        }
    }

    [Fact]
    public void Only_the_rows_asked_for_are_made()
    {
        var (weights, x) = Operands(ScalarType.Float32, 20, 48, 1);
        var (whole, part) = (new RowBuffer(1, 20), new RowBuffer(1, 20));
        Multiply(weights, 0, 20, x, 0, 1, whole, adds: false);
        Multiply(weights, 4, 10, x, 0, 1, part, adds: false);
        Assert.Equal(whole.Row(0)[4..10].ToArray(), part.Row(0)[4..10].ToArray());
        Assert.All([.. part.Row(0)[..4], .. part.Row(0)[10..]], v => Assert.Equal(0, v));
    }

    private static (Tensor Weights, RowBuffer X) Operands(ScalarType dtype, int rows, int columns, int count)
    {
        manual_seed(1);
        var x = new RowBuffer(count, columns);
        for (int i = 0; i < count; i++)
        {
            randn(columns).data<float>().CopyTo(x.Row(i));
        }

        return (randn(rows, columns).to(dtype), x);
    }

    private static void Multiply(Tensor weights, int first, int end, RowBuffer x, int xFirst, int count, RowBuffer y, bool adds, int yFirst = 0) =>
        WeightMatrix.Of(weights).Multiply(new RowProduct((int)weights.shape[1], x.From(xFirst), x.Stride, count, y.From(yFirst), y.Stride, adds), first, end);

    private static void AssertClose(Tensor weights, RowBuffer x, int count, RowBuffer y, float start)
    {
        double[] w = [.. weights.to(ScalarType.Float64).data<double>()];
        for (int i = 0; i < count; i++)
        {
            for (int row = 0; row < y.Width; row++)
            {
                double sum = start, size = Math.Abs(start);
                for (int c = 0; c < x.Width; c++)
                {
                    double term = w[(row * x.Width) + c] * x.Row(i)[c];
                    sum += term;
                    size += Math.Abs(term);
                }

                Assert.True(Math.Abs(sum - y.Row(i)[row]) <= 1e-6 * size, $"row {i}, column {row}: {y.Row(i)[row]}, expected {sum}");
            }
        }
    }
}
