using System.Buffers;
using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace T2R.Generation;

/// <summary>
/// Drops tokens that top-k, top-p and min-p leave out. Each keeps the tokens from the likeliest to a last one; that one is found by partitioning the few that it can be, and nothing
/// else is ranked.
/// </summary>
internal static class TokenFilter
{
    // Of the logits, laid out in so many columns, the k-th largest column maximum is no more than the k-th largest.
    private const int Columns = 2048;

    private static readonly int Lanes = Vector512<float>.Count;

    /// <summary>Leaves the tokens that pass all filters.</summary>
    /// <param name="options">Which filters.</param>
    /// <param name="logits"><c>[V]</c>.</param>
    /// <param name="largest">The largest of them.</param>
    /// <param name="changed">Room for as many; may be they themselves.</param>
    /// <returns>The logits, −∞ where a token is dropped: in <paramref name="changed"/>, unless there is no filter.</returns>
    internal static ReadOnlySpan<float> Apply(SamplingOptions options, ReadOnlySpan<float> logits, float largest, Span<float> changed)
    {
        if (!(options.TopK < logits.Length || options.TopP < 1 || options.MinP > 0))
        {
            return logits;
        }

        logits.CopyTo(changed);
        if (options.TopK is { } k && k < logits.Length)
        {
            KeepTo(LastOf(changed, changed, LeastOf(changed, k), k), changed);
        }

        if (options.TopP < 1)
        {
            KeepNucleus(options, changed);
        }

        if (options.MinP > 0)
        {
            Drop((float)(largest + (options.Temperature * Math.Log(options.MinP))), changed);
        }

        return changed;
    }

    private static void KeepNucleus(SamplingOptions options, Span<float> logits)
    {
        float[] rented = ArrayPool<float>.Shared.Rent(logits.Length);
        var weights = rented.AsSpan(0, logits.Length);
        double sum = SoftmaxWeights.Of(logits, options.Temperature, weights);

        // Tokens below (1 − p) / n of the whole sum to less than 1 − p: none of them is needed.
        KeepTo(LastOf(logits, weights, (float)(sum * (1 - options.TopP) / logits.Length), sum * options.TopP, weights), logits);
        ArrayPool<float>.Shared.Return(rented);
    }

    private static float LeastOf(ReadOnlySpan<float> logits, int k)
    {
        if (k > Columns || logits.Length < 2 * Columns)
        {
            return float.NegativeInfinity;
        }

        Span<float> maxima = stackalloc float[Columns];
        logits[..Columns].CopyTo(maxima);
        for (var rest = logits[Columns..]; !rest.IsEmpty; rest = rest[Math.Min(Columns, rest.Length)..])
        {
            var row = rest[..Math.Min(Columns, rest.Length)];
            TensorPrimitives.Max(row, maxima[..row.Length], maxima);
        }

        return LastOf(maxima, maxima, float.NegativeInfinity, k).Logit;
    }

    // The last of the likeliest tokens that are as many as a target, or weigh as much; those whose key is at least a given one are known to.
    private static Candidate LastOf(ReadOnlySpan<float> logits, ReadOnlySpan<float> keys, float least, double target, ReadOnlySpan<float> weights = default)
    {
        Candidate[] rented = ArrayPool<Candidate>.Shared.Rent(logits.Length);
        int count = 0;
        for (int start = 0; start < keys.Length; start += Lanes)
        {
            for (ulong mask = AtLeast(keys[start..], least); mask != 0; mask &= mask - 1)
            {
                int i = start + BitOperations.TrailingZeroCount(mask);
                rented[count++] = new Candidate(i, logits[i], weights.IsEmpty ? 1 : weights[i]);
            }
        }

        Candidate last = LastOf(rented.AsSpan(0, count), target);
        ArrayPool<Candidate>.Shared.Return(rented);
        return last;
    }

    // Hoare's selection: the part of the partition that holds the last token is partitioned in turn.
    private static Candidate LastOf(Span<Candidate> some, double target)
    {
        while (some.Length > 1)
        {
            Candidate pivot = some[(some.Length - 1) / 2];
            int i = -1, j = some.Length;
            double sum = 0;
            while (true)
            {
                while (some[++i].IsBefore(pivot))
                {
                    sum += some[i].Amount;
                }

                while (pivot.IsBefore(some[--j]))
                {
                }

                if (i >= j)
                {
                    break;
                }

                (some[i], some[j]) = (some[j], some[i]);
                sum += some[i].Amount;
            }

            // Tokens up to j are not behind the pivot, those from j + 1 on not before it.
            sum += i == j ? some[i].Amount : 0;
            bool isHere = sum >= target;
            some = isHere ? some[..(j + 1)] : some[(j + 1)..];
            target -= isHere ? 0 : sum;
        }

        return some[0];
    }

    /// <summary>The first number that is at least a given one, which there must be.</summary>
    internal static int FirstAtLeast(ReadOnlySpan<float> keys, float least)
    {
        for (int start = 0; ; start += Lanes)
        {
            if (AtLeast(keys[start..], least) is var mask and not 0)
            {
                return start + BitOperations.TrailingZeroCount(mask);
            }
        }
    }

    // Which of the first numbers are, a bit each.
    private static ulong AtLeast(ReadOnlySpan<float> keys, float least)
    {
        if (keys.Length >= Lanes)
        {
            return Vector512.GreaterThanOrEqual(Vector512.Create(keys), Vector512.Create(least)).ExtractMostSignificantBits();
        }

        ulong mask = 0;
        for (int i = 0; i < keys.Length; i++)
        {
            mask |= keys[i] >= least ? 1UL << i : 0;
        }

        return mask;
    }

    // Of logits equal to the last one's, those of higher ids go.
    private static void KeepTo(Candidate last, Span<float> logits)
    {
        Drop(last.Logit, logits[..(last.Id + 1)]);
        Drop(MathF.BitIncrement(last.Logit), logits[(last.Id + 1)..]);
    }

    private static void Drop(float below, Span<float> logits)
    {
        int i = 0;
        var (bound, none) = (Vector512.Create(below), Vector512.Create(float.NegativeInfinity));
        for (; i + Lanes <= logits.Length; i += Lanes)
        {
            var some = Vector512.Create<float>(logits[i..]);
            Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(some, bound), some, none).CopyTo(logits[i..]);
        }

        for (; i < logits.Length; i++)
        {
            logits[i] = logits[i] >= below ? logits[i] : float.NegativeInfinity;
        }
    }

    // What it counts for: 1, or its weight.
    private readonly record struct Candidate(int Id, float Logit, float Amount)
    {
        public bool IsBefore(Candidate other) => Logit > other.Logit || (Logit == other.Logit && Id < other.Id);
    }
}
