using T2R.Ops.Quantized;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Ops.Quantized;

public sealed class QuantizerTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string> Formats => ["int8", "int4"];

    [Fact]
    public void Eight_bits_are_within_half_a_step_of_every_number()
    {
        var weight = Random(20, 192);
        using var quantized = Quantizer.Quantize(weight, QuantizedFormat.EightBit, "w");
        double[] numbers = Numbers(weight), codes = Numbers(quantized.Codes), scales = Numbers(quantized.Scales);
        for (int i = 0; i < numbers.Length; i++)
        {
            double scale = scales[i / 64];
            Assert.InRange(codes[i], -127, 127);

            // The scale is rounded to bf16: the largest number of a group may lie up to 2⁻⁹ of 127 steps beyond the last code.
            Assert.InRange(Math.Abs(numbers[i] - (codes[i] * scale)) / scale, 0, 0.76);
        }

        double error = RootMeanSquare(numbers.Zip(Numbers(quantized.Dequantize(ScalarType.Float64)), (a, b) => a - b));
        Assert.InRange(error / RootMeanSquare(numbers), 0, 0.0075);
    }

    [Fact]
    public void Four_bits_err_less_than_with_a_scale_that_spares_the_largest_number()
    {
        var weight = Random(20, 192);
        using var quantized = Quantizer.Quantize(weight, QuantizedFormat.FourBit, "w");
        double[] numbers = Numbers(weight), made = Numbers(quantized.Dequantize(ScalarType.Float64));
        double found = 0, plain = 0;
        for (int group = 0; group < numbers.Length; group += 64)
        {
            double[] w = numbers[group..(group + 64)];
            double largest = w.Max(Math.Abs), error = SquaredError(w, made[group..(group + 64)]);
            foreach (double scale in new[] { largest / 7, w.MaxBy(Math.Abs) / -8 })
            {
                // bf16 keeps eight bits of a scale.
                Assert.InRange(error, 0, 1.1 * SquaredError(w, [.. w.Select(v => scale * Math.Clamp(Math.Round(v / scale), -8, 7))]));
            }

            found += error;
            plain += SquaredError(w, [.. w.Select(v => largest / 7 * Math.Round(v / largest * 7))]);
        }

        Assert.InRange(found / plain, 0, 0.75);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float64)]
    public void Numbers_that_are_codes_times_a_scale_stay_as_they_are(ScalarType dtype)
    {
        // Both ends are there, so that no other scale fits.
        double[] codes = [.. Enumerable.Range(0, 64).Select(i => (double)((i % 16) - 8))];
        using var four = Quantizer.Quantize(tensor([.. codes.Select(c => c * 0.25)], [1, 64]).to(dtype), QuantizedFormat.FourBit, "w");
        Assert.Equal(codes.Select(c => c * 0.25), Numbers(four.Dequantize(ScalarType.Float64)));
        Assert.Equal(0.25, Numbers(four.Scales)[0]);

        // The lower half of a byte is the even column.
        Assert.Equal([.. Enumerable.Range(0, 32).Select(i => (byte)((2 * i % 16) | (((2 * i % 16) + 1) << 4)))], four.Codes.data<byte>().ToArray());

        using var eight = Quantizer.Quantize(tensor([.. Enumerable.Range(0, 64).Select(i => 0.5 * ((4 * i) - 127))], [1, 64]).to(dtype), QuantizedFormat.EightBit, "w");
        Assert.Equal([.. Enumerable.Range(0, 64).Select(i => (sbyte)((4 * i) - 127))], eight.Codes.data<sbyte>().ToArray());
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_group_of_zeros_stays_zero(string format)
    {
        using var quantized = Quantizer.Quantize(zeros(2, 128), QuantizedFormat.Parse(format), "w");
        Assert.All(Numbers(quantized.Dequantize(ScalarType.Float32)), n => Assert.Equal(0, n));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Widths_without_whole_groups_and_numbers_that_are_none_are_refused(string name)
    {
        var format = QuantizedFormat.Parse(name);
        Assert.Throws<ArgumentException>(() => Quantizer.Quantize(zeros(2, 96), format, "w"));
        var broken = zeros(2, 64);
        broken[1, 5] = double.NaN;
        Assert.Contains("down_proj", Assert.Throws<UserErrorException>(() => Quantizer.Quantize(broken, format, "down_proj")).Message);
    }

    [Fact]
    public void Codes_and_scales_that_do_not_belong_together_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new QuantizedWeight(QuantizedFormat.FourBit, zeros(4, 64, dtype: ScalarType.Byte), zeros(4, 1, dtype: ScalarType.BFloat16)));
        Assert.Throws<ArgumentException>(() => new QuantizedWeight(QuantizedFormat.EightBit, zeros(4, 64, dtype: ScalarType.Byte), zeros(4, 1, dtype: ScalarType.BFloat16)));
        Assert.Throws<ArgumentException>(() => new QuantizedWeight(QuantizedFormat.EightBit, zeros(4, 64, dtype: ScalarType.Int8), zeros(4, 1)));
    }

    [Fact]
    public void What_is_refused_is_not_taken_over()
    {
        long before = TensorCount.Settled();
        using (NewDisposeScope())
        {
            Assert.Throws<ArgumentException>(() => new QuantizedWeight(QuantizedFormat.EightBit, zeros(4, 64, dtype: ScalarType.Int8), zeros(4, 1)));
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void An_unknown_format_is_refused_with_those_there_are() =>
        Assert.Contains("int8 or int4", Assert.Throws<UserErrorException>(() => QuantizedFormat.Parse("int3")).Message);

    private static Tensor Random(int rows, int columns)
    {
        manual_seed(5);
        return randn(rows, columns);
    }

    private static double[] Numbers(Tensor tensor) => [.. tensor.to(ScalarType.Float64).contiguous().data<double>()];

    private static double SquaredError(double[] a, double[] b) => a.Zip(b, (x, y) => (x - y) * (x - y)).Sum();

    private static double RootMeanSquare(IEnumerable<double> numbers) => Math.Sqrt(numbers.Average(n => n * n));
}
