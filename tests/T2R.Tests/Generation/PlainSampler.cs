using T2R.Generation;

namespace T2R.Tests.Generation;

/// <summary>The sampler as its definitions read, every token ranked and every logarithm taken in double.</summary>
internal static class PlainSampler
{
    /// <summary>The token of a draw, with so many tokens more or fewer in the nucleus than the definition says: what rounding may decide either way.</summary>
    public static int Next(SamplingOptions options, float[] logits, IReadOnlySet<int> seen, long draw, int more = 0)
    {
        int[] left = Left(options, Adjusted(options, logits, seen), more);
        logits = Adjusted(options, logits, seen);
        return options.Temperature == 0
            ? left[0]
            : left.Order().MaxBy(id => (logits[id] / options.Temperature) - Math.Log(-Math.Log(1 - Uniform(id, options.Seed, (ulong)draw))));
    }

    /// <summary>Ids that the filters leave, likeliest first.</summary>
    public static int[] Left(SamplingOptions options, float[] logits, int more = 0)
    {
        int[] ranked = [.. Enumerable.Range(0, logits.Length).OrderByDescending(id => logits[id]).ThenBy(id => id).Take(options.TopK ?? int.MaxValue)];
        if (options.Temperature == 0)
        {
            return ranked;
        }

        double[] weights = [.. ranked.Select(id => Math.Exp((logits[id] - (double)logits[ranked[0]]) / options.Temperature))];
        int nucleus = 0;
        for (double sum = 0; nucleus < ranked.Length && sum < options.TopP * weights.Sum(); nucleus++)
        {
            sum += weights[nucleus];
        }

        return [.. ranked.Take(options.TopP < 1 ? Math.Max(1, nucleus + more) : ranked.Length).Where((_, rank) => weights[rank] >= options.MinP * 0.999999)];
    }

    private static float[] Adjusted(SamplingOptions options, float[] logits, IReadOnlySet<int> seen)
    {
        float penalty = (float)options.RepetitionPenalty;
        return [.. logits.Select((l, id) => (!seen.Contains(id) ? l : l > 0 ? l / penalty : l * penalty) + options.LogitBias.GetValueOrDefault(id))];
    }

    private static double Uniform(int id, ulong seed, ulong draw) =>
        (Philox((uint)((id / 16 * 4) + (id % 4)), 0, (uint)draw, (uint)(draw >> 32), (uint)seed, (uint)(seed >> 32))[id / 4 % 4] + 0.5) / 4294967296;

    private static uint[] Philox(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1)
    {
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = 0xD2511F53UL * c0, p1 = 0xCD9E8D57UL * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            (k0, k1) = (unchecked(k0 + 0x9E3779B9), unchecked(k1 + 0xBB67AE85));
        }

        return [c0, c1, c2, c3];
    }
}
