using T2R.Ops.Quantized;
using T2R.Ops.Rows;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.Rows;

public sealed class QuantizedProductTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string, int, int> Cases =>
    [
        .. from format in new[] { "int8", "int4" }
           from columns in new[] { 64, 192, 1024, 2112 }
           from count in new[] { 1, 3, 4, 9, 13 }
           select (format, columns, count)
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_product_is_that_of_the_numbers_that_the_codes_mean(string format, int columns, int count)
    {
        using var weight = Weight(QuantizedFormat.Parse(format), 7, columns);
        float[][] x = Inputs(count, columns), y = Multiply(WeightMatrix.Of(weight), x);
        double[] numbers = [.. weight.Dequantize(ScalarType.Float64).data<double>()];
        for (int i = 0; i < count; i++)
        {
            for (int row = 0; row < 7; row++)
            {
                double[] terms = [.. x[i].Select((v, c) => v * numbers[(row * columns) + c])];
                Assert.Equal(terms.Sum(), y[i][row], 1e-6 * terms.Sum(Math.Abs));
            }
        }
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("int4")]
    public void A_row_has_the_same_bits_alone_as_among_others(string format)
    {
        using var weight = Weight(QuantizedFormat.Parse(format), 9, 2112);
        float[][] x = Inputs(17, 2112), together = Multiply(WeightMatrix.Of(weight), x), few = Multiply(WeightMatrix.Of(weight), x[..3]);
        Assert.Equal(together[..3], few);
        Assert.Equal(together, x.Select(row => Multiply(WeightMatrix.Of(weight), [row])[0]));
    }

    [Fact]
    public void Eight_bits_give_the_bits_of_their_numbers_in_fp32()
    {
        using var weight = Weight(QuantizedFormat.EightBit, 9, 1088);
        float[][] x = Inputs(5, 1088);
        Assert.Equal(Multiply(WeightMatrix.Of(weight.Dequantize(ScalarType.Float32)), x), Multiply(WeightMatrix.Of(weight), x));
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("int4")]
    public void A_row_reads_as_its_numbers(string format)
    {
        using var weight = Weight(QuantizedFormat.Parse(format), 5, 128);
        float[] row = new float[128];
        WeightMatrix.Of(weight).Read(3, row);
        Assert.Equal([.. weight.Dequantize(ScalarType.Float32)[3].data<float>()], row);
    }

    private static QuantizedWeight Weight(QuantizedFormat format, int rows, int columns)
    {
        manual_seed(2);
        return Quantizer.Quantize(randn(rows, columns), format, "w");
    }

    private static float[][] Inputs(int count, int columns)
    {
        manual_seed(3);
        return [.. Enumerable.Range(0, count).Select(_ => randn(columns).data<float>().ToArray())];
    }

    private static float[][] Multiply(WeightMatrix matrix, float[][] inputs)
    {
        using var loop = new SharedLoop();
        var product = new JoinedProduct(loop, matrix);
        RowBuffer x = new(inputs.Length, matrix.Columns), y = new(inputs.Length, matrix.Rows);
        for (int i = 0; i < inputs.Length; i++)
        {
            inputs[i].CopyTo(x.Row(i));
            product.Prepare(x.Row(i));
        }

        product.Run(x, 0, inputs.Length, y, 0);
        return [.. Enumerable.Range(0, inputs.Length).Select(i => y.Row(i).ToArray())];
    }
}
