using CsCheck;
using T2R.Generation;
using Xunit;

namespace T2R.Tests.Generation;

public class SamplerTests
{
    private static readonly float[] Logits = [0.5f, 2f, -1f, 2f, 1f, float.NegativeInfinity];

    [Fact]
    public void Temperature_0_takes_the_likeliest_and_of_equals_the_lowest_id() =>
        Assert.All(Draw(new SamplingOptions { Temperature = 0 }, Logits, 10), id => Assert.Equal(1, id));

    [Fact]
    public void Draws_follow_the_probabilities()
    {
        int[] counts = Counts(new SamplingOptions { Temperature = 0.7, Seed = 3 }, Logits, 20_000);
        double[] weights = [.. Logits.Select(l => Math.Exp(l / 0.7))];
        Assert.Equal(0, counts[5]);
        for (int id = 0; id < Logits.Length; id++)
        {
            double p = weights[id] / weights.Sum();
            Assert.InRange(counts[id] / 20_000.0, p - 0.015, p + 0.015);
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_tokens_and_another_seed_others()
    {
        var options = new SamplingOptions { Seed = 11 };
        Assert.Equal(Draw(options, Logits, 100), Draw(options, Logits, 100));
        Assert.NotEqual(Draw(options, Logits, 100), Draw(options with { Seed = 12 }, Logits, 100));
    }

    [Fact]
    public void The_tokens_of_a_seed_never_change() =>
        Assert.Equal([3, 1, 1, 1, 0, 4, 1, 3, 1, 3, 1, 3, 3, 3, 3, 1, 1, 3, 1, 3, 4, 0, 3, 3], Draw(new SamplingOptions { Seed = 42 }, Logits, 24));

    [Fact]
    public void Top_k_keeps_the_k_likeliest_and_of_equals_the_lowest_ids()
    {
        Assert.Equal([1, 3], Draw(new SamplingOptions { TopK = 2 }, Logits, 200).Distinct().Order());
        Assert.Equal([1], Draw(new SamplingOptions { TopK = 1 }, Logits, 200).Distinct());
        Assert.Equal([0, 1, 2, 3, 4], Draw(new SamplingOptions { TopK = 99 }, Logits, 2000).Distinct().Order());
    }

    [Fact]
    public void Top_p_keeps_the_fewest_tokens_that_reach_p()
    {
        float[] logits = [.. new[] { 0.5, 0.25, 0.125, 0.0625, 0.0625 }.Select(p => (float)Math.Log(p))];
        Assert.Equal([0], Draw(new SamplingOptions { TopP = 0.4999 }, logits, 300).Distinct());
        Assert.Equal([0, 1], Draw(new SamplingOptions { TopP = 0.7 }, logits, 300).Distinct().Order());
        Assert.Equal([0, 1, 2], Draw(new SamplingOptions { TopP = 0.8 }, logits, 600).Distinct().Order());
        Assert.Equal([0, 1, 2, 3, 4], Draw(new SamplingOptions { TopP = 0.99 }, logits, 2000).Distinct().Order());
    }

    [Fact]
    public void Top_k_comes_before_top_p()
    {
        // Of the two that top-k leaves, the first has 2/3, which reaches 0.6; of all five it has 1/2, which does not.
        float[] logits = [.. new[] { 0.5, 0.25, 0.125, 0.0625, 0.0625 }.Select(p => (float)Math.Log(p))];
        Assert.Equal([0], Draw(new SamplingOptions { TopK = 2, TopP = 0.6 }, logits, 300).Distinct());
        Assert.Equal([0, 1], Draw(new SamplingOptions { TopP = 0.6 }, logits, 300).Distinct().Order());
    }

    [Fact]
    public void The_nucleus_is_that_of_the_definition() =>
        Gen.Select(Gen.Float[-8, 8].Array[1, 60], Gen.Double[0.01, 0.999], Gen.ULong).Sample((logits, p, seed) =>
        {
            double[] weights = [.. logits.Select(l => Math.Exp(l - (double)logits.Max()))];
            int[] ranked = [.. Enumerable.Range(0, logits.Length).OrderByDescending(i => weights[i]).ThenBy(i => i)];
            int size = 0;
            for (double sum = 0; size < ranked.Length && sum < p * weights.Sum(); size++)
            {
                sum += weights[ranked[size]];
            }

            // One more for what rounding may decide either way.
            Assert.Subset(ranked.Take(size + 1).ToHashSet(), Draw(new SamplingOptions { TopP = p, Seed = seed }, logits, 20).ToHashSet());
        });

    [Fact]
    public void A_tiny_temperature_does_not_overflow() =>
        Assert.Equal([2], Draw(new SamplingOptions { Temperature = 1e-300 }, [1e30f, -1e30f, 3e38f], 20).Distinct());

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Logits_that_are_no_numbers_are_the_models_fault(float broken) =>
        Assert.Throws<UserErrorException>(() => new Sampler(new SamplingOptions()).Next([1, broken, 2]));

    [Fact]
    public void All_options_out_of_range_are_named_at_once()
    {
        var error = Assert.Throws<UserErrorException>(() => new Sampler(new SamplingOptions { Temperature = double.NaN, TopK = 0, TopP = 1.5 }));
        Assert.Equal(3, error.Problems.Count);
    }

    private static int[] Draw(SamplingOptions options, float[] logits, int count)
    {
        var sampler = new Sampler(options);
        return [.. Enumerable.Range(0, count).Select(_ => sampler.Next(logits))];
    }

    private static int[] Counts(SamplingOptions options, float[] logits, int count)
    {
        var counts = new int[logits.Length];
        foreach (int id in Draw(options, logits, count))
        {
            counts[id]++;
        }

        return counts;
    }
}
