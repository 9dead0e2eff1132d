using System.Numerics;
using System.Runtime.Intrinsics;
using T2R.Data;
using T2R.Ops.AdamW;
using Xunit;

namespace T2R.Tests.Ops.AdamW;

public class RandomBitsTests
{
    private const int Count = 1 << 18;

    public static TheoryData<string, string> Pairs => new()
    {
        { "weight", "mean" }, { "weight", "spread" }, { "mean", "spread" }, { "weight", "next step" }, { "mean", "next step" }, { "spread", "next step" }, { "weight", "neighbour" }, { "spread", "neighbour" },
    };

    [Theory]
    [InlineData("weight")]
    [InlineData("mean")]
    [InlineData("spread")]
    public void Each_number_is_uniform(string which)
    {
        uint[] numbers = Draw(which);
        Assert.All(numbers, n => Assert.InRange(n, 0u, 0xFFFFu));
        Assert.Equal(32767.5, numbers.Average(n => (double)n), 5 * 18918 / Math.Sqrt(Count));

        // χ² over 256 bins has mean 255 and deviation 22.6.
        double expected = Count / 256.0;
        double square = numbers.GroupBy(n => n >> 8).Sum(bin => Math.Pow(bin.Count() - expected, 2) / expected);
        Assert.InRange(square, 255 - (5 * 22.6), 255 + (5 * 22.6));
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Numbers_are_independent_in_pairs(string one, string other)
    {
        uint[] a = Draw(one), b = other switch
        {
            "next step" => Draw(one, SplitMix64.Mix(1)),
            "neighbour" => [.. Draw(one).Skip(1), 0],
            _ => Draw(other),
        };
        double[,] table = new double[16, 16];
        foreach (var (x, y) in a.Zip(b))
        {
            table[x >> 12, y >> 12]++;
        }

        double expected = Count / 256.0;
        double square = table.Cast<double>().Sum(n => Math.Pow(n - expected, 2) / expected);
        Assert.InRange(square, 255 - (5 * 22.6), 255 + (5 * 22.6));
    }

    [Fact]
    public void A_step_or_a_place_further_changes_half_of_the_bits()
    {
        uint[] hashes = Draw("hash");
        for (ulong step = 1; step < 64; step++)
        {
            Assert.InRange(Changed(hashes, Draw("hash", SplitMix64.Mix(step))), 0.495, 0.505);
        }

        for (int bit = 0; bit < 18; bit++)
        {
            Assert.InRange(Changed(hashes, [.. Enumerable.Range(0, Count).Select(i => hashes[i ^ (1 << bit)])]), 0.495, 0.505);
        }

        static double Changed(uint[] a, uint[] b) => a.Zip(b, (x, y) => BitOperations.PopCount(x ^ y) / 32.0).Average();
    }

    // Keys come from a mix, as an optimizer's do.
    private static uint[] Draw(string which, ulong? key = null) => Vectors.Hashes(Count, key ?? SplitMix64.Mix(0), which switch
    {
        "weight" => RandomBits.ForWeight,
        "mean" => RandomBits.ForMean,
        "spread" => RandomBits.ForSpread,
        _ => (Vector256<uint> hash) => hash,
    });
}
