using System.Runtime.Intrinsics;
using T2R.Models;
using Xunit;

namespace T2R.Tests.Models;

public class NormalNumbersTests
{
    private const int Count = 4_000_000;

    // Known answers of Random123 (kat_vectors: philox4x32 10).
    [Theory]
    [InlineData(0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8)]
    [InlineData(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd)]
    [InlineData(0x85a308d3243f6a88, 0x0370734413198a2e, 0x299f31d0a4093822, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1)]
    public void The_generator_is_Philox(ulong low, ulong high, ulong key, uint w0, uint w1, uint w2, uint w3)
    {
        var words = Philox.Words(key, Vector256.Create(low, 1, low, 2), high);
        foreach (int lane in new[] { 0, 2 })
        {
            Assert.Equal((w0, w1, w2, w3), ((uint)words.W0[lane], (uint)words.W1[lane], (uint)words.W2[lane], (uint)words.W3[lane]));
        }

        Assert.NotEqual(words.W0[0], words.W0[1]);
    }

    [Fact]
    public void The_numbers_are_Box_and_Mullers_to_the_last_places()
    {
        float[] numbers = Draw(key: 11, stream: 22, first: 160, count: 1600);
        for (int group = 0; group < 100; group++)
        {
            ulong counter = (ulong)(160 + (group * 16)) / 4;
            var words = Philox.Words(11, Vector256.Create(counter, counter + 1, counter + 2, counter + 3), 22);
            for (int i = 0; i < 8; i++)
            {
                var (radius, angle) = i % 2 == 0 ? ((uint)words.W0[i / 2], (uint)words.W1[i / 2]) : ((uint)words.W2[i / 2], (uint)words.W3[i / 2]);
                double r = Math.Sqrt(-2 * Math.Log(((radius >> 1) + 0.5) / 2147483648.0));
                double turn = ((angle >> 30) / 4.0) + ((int)(angle << 2) / 4294967296.0 / 4);
                Assert.Equal(r * Math.Cos(2 * Math.PI * turn), numbers[(group * 16) + i], 2e-6);
                Assert.Equal(r * Math.Sin(2 * Math.PI * turn), numbers[(group * 16) + 8 + i], 2e-6);
            }
        }
    }

    [Fact]
    public void Moments_and_tails_are_those_of_the_normal_distribution()
    {
        float[] numbers = Draw(1, 2, 0, Count);
        double Moment(int power) => numbers.Sum(x => Math.Pow(x, power)) / Count;

        // Five standard errors of each; Var(xⁿ) = (2n − 1)!! − (mean of xⁿ)².
        Assert.Equal(0, Moment(1), 5 / Math.Sqrt(Count));
        Assert.Equal(1, Moment(2), 5 * Math.Sqrt(2.0 / Count));
        Assert.Equal(0, Moment(3), 5 * Math.Sqrt(15.0 / Count));
        Assert.Equal(3, Moment(4), 5 * Math.Sqrt(96.0 / Count));
        foreach (var (limit, beyond) in new[] { (1, 0.31731050786), (2, 0.04550026390), (3, 0.00269979606), (4, 6.334248e-5) })
        {
            double expected = beyond * Count;
            Assert.Equal(expected, numbers.Count(x => Math.Abs(x) > limit), 5 * Math.Sqrt(expected));
        }

        Assert.InRange(numbers.Max(), 4.5, 6.7);
        Assert.InRange(numbers.Min(), -6.7, -4.5);
    }

    [Fact]
    public void Each_place_in_a_group_has_the_normal_distribution_function()
    {
        float[] numbers = Draw(3, 4, 0, Count);
        for (int place = 0; place < NormalNumbers.Group; place++)
        {
            float[] sorted = [.. numbers.Where((_, i) => i % NormalNumbers.Group == place).Order()];
            double worst = 0;
            for (int i = 0; i < sorted.Length; i += 50)
            {
                worst = Math.Max(worst, Math.Abs(Cumulative(sorted[i]) - ((i + 0.5) / sorted.Length)));
            }

            // Kolmogorov and Smirnov's statistic exceeds 2.5 / √n once in 130 000 times.
            Assert.True(worst < 2.5 / Math.Sqrt(sorted.Length), $"place {place}: {worst}");
        }
    }

    [Theory]
    [InlineData(1, 2, 1, 2)]
    [InlineData(1, 2, 1, 3)]
    [InlineData(1, 2, 2, 2)]
    [InlineData(1, 2, 2, 1)]
    public void Neighbours_and_other_sequences_are_not_correlated(ulong keyA, ulong streamA, ulong keyB, ulong streamB)
    {
        float[] a = Draw(keyA, streamA, 0, Count), b = (keyA, streamA) == (keyB, streamB) ? a : Draw(keyB, streamB, 0, Count);
        foreach (int lag in ((int[])[0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 32, 64, 4096]).Where(lag => lag > 0 || a != b))
        {
            double product = 0, squares = 0;
            for (int i = 0; i < Count - lag; i++)
            {
                product += (double)a[i] * b[i + lag];
                squares += ((double)a[i] * a[i] - 1) * ((double)b[i + lag] * b[i + lag] - 1);
            }

            Assert.Equal(0, product / Count, 5 / Math.Sqrt(Count));
            Assert.Equal(0, squares / Count, 5 * 2 / Math.Sqrt(Count));
        }
    }

    [Fact]
    public void A_piece_holds_the_numbers_of_the_whole_whatever_its_length()
    {
        float[] whole = Draw(5, 6, 0, 1000);
        foreach (var (first, count) in new[] { (0, 7), (16, 1), (32, 16), (48, 33), (992, 8) })
        {
            Assert.Equal(whole[first..(first + count)], Draw(5, 6, first, count));
        }

        // Where a 32-bit counter would begin again.
        Assert.NotEqual(Draw(5, 6, 4L << 32, 16), whole[..16]);
    }

    [Fact]
    public void In_bfloat16_each_number_is_the_nearest_and_ties_go_to_even()
    {
        float[] singles = Draw(7, 8, 64, 100_003);
        ushort[] halves = new ushort[singles.Length];
        NormalNumbers.FillBFloat16(7, 8, 64, 0.02f, halves);
        using var rounded = TorchSharp.torch.tensor(Draw(7, 8, 64, singles.Length, 0.02f)).to(TorchSharp.torch.ScalarType.BFloat16);
        Assert.Equal(T2R.Interop.TensorMemory.AsSpan<ushort>(rounded).ToArray(), halves);
    }

    private static float[] Draw(ulong key, ulong stream, long first, int count, float deviation = 1)
    {
        float[] numbers = new float[count];
        NormalNumbers.Fill(key, stream, first, deviation, numbers);
        return numbers;
    }

    // Φ(x), by the series of Marsaglia (2004), exact to rounding.
    private static double Cumulative(double x)
    {
        double sum = x, term = x;
        for (int i = 3; Math.Abs(term) > 1e-17; i += 2)
        {
            term *= x * x / i;
            sum += term;
        }

        return 0.5 + (sum * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI));
    }
}
