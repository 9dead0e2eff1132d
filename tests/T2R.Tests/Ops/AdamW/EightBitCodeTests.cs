using System.Runtime.Intrinsics;
using T2R.Ops.AdamW;
using Xunit;

namespace T2R.Tests.Ops.AdamW;

public class EightBitCodeTests
{
    private const float SmallestMean = 1.25f / 65536, SmallestSpread = 1.125f / 65536;
    private static readonly uint[] Random = [.. Enumerable.Range(0, 1 << 16).Select(i => (uint)i)];

    [Fact]
    public void The_codes_of_m_rise_from_the_smallest_to_1_by_at_most_an_eighth_of_themselves()
    {
        float[] values = [.. Enumerable.Range(0, 128).Select(c => Mean((uint)c))];
        Assert.Equal((0f, SmallestMean, 1f), (values[0], values[1], values[127]));
        Assert.All(Enumerable.Range(2, 126), c => Assert.InRange(values[c] / values[c - 1], 1.066f, 1.125f));
        Assert.All(Enumerable.Range(1, 127), c => Assert.Equal(-values[c], Mean((uint)c + 128)));
    }

    [Fact]
    public void The_codes_of_the_root_rise_from_the_smallest_to_1_by_at_most_a_sixteenth_of_themselves()
    {
        float[] values = [.. Enumerable.Range(0, 256).Select(c => Spread((uint)c))];
        Assert.Equal((0f, SmallestSpread, 1f), (values[0], values[1], values[255]));
        Assert.All(Enumerable.Range(2, 254), c => Assert.InRange(values[c] / values[c - 1], 1.032f, 1.0626f));
    }

    [Fact]
    public void A_number_that_has_a_code_gets_it_whatever_the_random_bits()
    {
        uint[] some = [0, 1, 77, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 5];
        for (uint code = 0; code < 256; code++)
        {
            Assert.All(Vectors.Encoded(Mean(code), some, EightBitCode.EncodeMean), c => Assert.Equal(code == 128 ? 0 : code, c));
            Assert.All(Vectors.Encoded(Spread(code), some, EightBitCode.EncodeSpread), c => Assert.Equal(code, c));
        }
    }

    [Theory]
    [InlineData(0.9f)]
    [InlineData(-0.123f)]
    [InlineData(3.3e-4f)]
    [InlineData(-2.1e-5f)]
    [InlineData(1e-5f)]
    [InlineData(-3e-7f)]
    [InlineData(1e-9f)]
    public void M_becomes_one_of_its_neighbours_and_itself_on_average(float value)
    {
        var codes = Vectors.Encoded(value, Random, EightBitCode.EncodeMean).ToList();
        float[] values = [.. codes.Distinct().Select(Mean).Order()];
        Assert.Equal(2, values.Length);
        Assert.InRange(value, values[0], values[1]);

        // Sixteen random bits stand for the twenty that are cut off.
        Assert.Equal(value, codes.Average(c => (double)Mean(c)), (values[1] - values[0]) / 65536);
    }

    [Theory]
    [InlineData(0.999f)]
    [InlineData(0.0456f)]
    [InlineData(1.8e-5f)]
    public void The_root_becomes_one_of_its_neighbours_and_itself_on_average(float value)
    {
        var codes = Vectors.Encoded(value, Random, EightBitCode.EncodeSpread).ToList();
        float[] values = [.. codes.Distinct().Select(Spread).Order()];
        Assert.Equal(2, values.Length);
        Assert.InRange(value, values[0], values[1]);
        Assert.Equal(value, codes.Average(c => (double)Spread(c)), (values[1] - values[0]) / 65536);
    }

    [Theory]
    [InlineData(1e-5f)]
    [InlineData(1e-20f)]
    public void A_root_too_small_for_the_code_never_becomes_0(float value) =>
        Assert.All(Vectors.Encoded(value, Random, EightBitCode.EncodeSpread).Distinct(), c => Assert.Equal(SmallestSpread, Spread(c)));

    [Fact]
    public void Numbers_beyond_the_scale_count_as_the_scale()
    {
        Assert.All(Vectors.Encoded(1.0000001f, Random, EightBitCode.EncodeMean).Distinct(), c => Assert.Equal(1f, Mean(c)));
        Assert.All(Vectors.Encoded(-1.5f, Random, EightBitCode.EncodeMean).Distinct(), c => Assert.Equal(-1f, Mean(c)));
        Assert.All(Vectors.Encoded(1.0000001f, Random, EightBitCode.EncodeSpread).Distinct(), c => Assert.Equal(1f, Spread(c)));
    }

    private static float Mean(uint code) => EightBitCode.DecodeMean(Vector256.Create(code))[0];

    private static float Spread(uint code) => EightBitCode.DecodeSpread(Vector256.Create(code))[0];
}
