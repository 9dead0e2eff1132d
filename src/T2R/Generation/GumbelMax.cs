using System.Numerics;
using System.Runtime.Intrinsics;
using T2R.Models;

namespace T2R.Generation;

/// <summary>
/// Draws from softmax(l / T) as the largest of lᵢ / T + Gᵢ, Gᵢ = −ln(−ln(1 − vᵢ)) (Gumbel, 1954; Maddison et al., A* sampling, NeurIPS 2014), with vᵢ = (r + ½) / 2³² and r a
/// word of Philox under the seed: of token i, word ⌊i / 4⌋ mod 4 of the counter (4 ⌊i / 16⌋ + i mod 4, number of the draw). Largest of these is smallest of Eᵢ / wᵢ, where
/// Eᵢ = −ln(1 − vᵢ) and wᵢ = exp((lᵢ − max l) / T); and since Eᵢ ≥ vᵢ, only tokens with vᵢ &lt; wᵢ · (smallest so far) need their logarithms.
/// </summary>
internal static class GumbelMax
{
    private const int Block = 4 * Philox.Lanes;

    // No v is smaller.
    private const float LeastV = 0.5f / (1L << 32);

    /// <summary>Draws.</summary>
    /// <param name="logits"><c>[V]</c>; −∞ for tokens that are not to be drawn.</param>
    /// <param name="likeliest">The token of the largest, which can always be drawn.</param>
    /// <param name="temperature">T, more than 0.</param>
    /// <param name="seed">Of all draws.</param>
    /// <param name="draw">This one's number.</param>
    internal static int Draw(ReadOnlySpan<float> logits, int likeliest, double temperature, ulong seed, long draw)
    {
        // 1 / T of a temperature that is hardly a float would be infinite; a larger one makes no weight smaller.
        float largest = logits[likeliest], inverse = (float)(1 / Math.Max(temperature, 1e-30));
        int drawn = likeliest;
        double first = Arrival(Word(likeliest, seed, draw), 0);
        for (int start = 0; start < logits.Length; start += Block)
        {
            // Floats are of 7 digits: the margin leaves no token out, and doubles decide.
            var bound = NoLessThanExp((At(logits, start) - Vector512.Create(largest)) * inverse) * (float)(first * 1.0001);
            if (!Vector512.GreaterThanAny(bound, Vector512.Create(LeastV)))
            {
                continue;
            }

            var (w0, w1, w2, w3) = Philox.Words(seed, Counters(start / Block), (ulong)draw);
            var words = Vector512.Create(Vector256.Narrow(w0, w1), Vector256.Narrow(w2, w3));
            for (ulong mask = Vector512.LessThan(NoMoreThanV(words), bound).ExtractMostSignificantBits(); mask != 0; mask &= mask - 1)
            {
                int i = BitOperations.TrailingZeroCount(mask), id = start + i;
                double arrival = Arrival(words[i], (logits[id] - (double)largest) / temperature);
                (drawn, first) = arrival < first || (arrival == first && id < drawn) ? (id, arrival) : (drawn, first);
            }
        }

        return drawn;
    }

    // E / w.
    private static double Arrival(uint word, double exponent) => -Math.Log(1 - ((word + 0.5) / (1L << 32))) / Math.Exp(exponent);

    private static uint Word(int id, ulong seed, long draw)
    {
        var (w0, w1, w2, w3) = Philox.Words(seed, Counters(id / Block), (ulong)draw);
        var words = (id / Philox.Lanes % 4) switch { 0 => w0, 1 => w1, 2 => w2, _ => w3 };
        return (uint)words[id % Philox.Lanes];
    }

    private static Vector256<ulong> Counters(int block) => Vector256.Create((ulong)block * Philox.Lanes) + Vector256<ulong>.Indices;

    private static Vector512<float> At(ReadOnlySpan<float> logits, int start)
    {
        if (start + Block <= logits.Length)
        {
            return Vector512.Create(logits[start..]);
        }

        Span<float> last = stackalloc float[Block];
        last.Fill(float.NegativeInfinity);
        logits[start..].CopyTo(last);
        return Vector512.Create<float>(last);
    }

    // 2^f ≤ 1 + f between 0 and 1: a float whose exponent and mantissa are x / ln 2 is exp(x) or up to 6 % more (Schraudolph, Neural Computation, 1999).
    // e^−60 is too little to be drawn, and not yet one of the numbers that are slow to multiply.
    private static Vector512<float> NoLessThanExp(Vector512<float> x) =>
        Vector512.ConvertToInt32((Vector512.Max(x, Vector512.Create(-60f)) * (float)((1 << 23) / Math.Log(2))) + Vector512.Create(127f * (1 << 23))).AsSingle();

    // By the word's upper 24 bits, which a float holds.
    private static Vector512<float> NoMoreThanV(Vector512<uint> words) =>
        (Vector512.ConvertToSingle((words >>> 8).AsInt32()) * (1f / (1 << 24))) + Vector512.Create(LeastV);
}
