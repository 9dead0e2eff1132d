using System.Buffers;
using System.Numerics.Tensors;
using T2R.Generation.Serving;

namespace T2R.Generation;

/// <summary>Natural logarithms of the softmax of a model's logits.</summary>
internal static class LogProbabilities
{
    /// <summary>A token's and the likeliest tokens'.</summary>
    /// <param name="logits"><c>[V]</c>.</param>
    /// <param name="id">The token.</param>
    /// <param name="count">How many of the likeliest: likeliest first, of equals the lower id.</param>
    /// <param name="vocabularySize">Ids from this on are not among them, though they have their share of the sum.</param>
    internal static (double LogProbability, IReadOnlyList<LikelyToken> Likeliest) Of(ReadOnlySpan<float> logits, int id, int count, int vocabularySize)
    {
        float[] weights = ArrayPool<float>.Shared.Rent(logits.Length);
        double logSum = TensorPrimitives.Max(logits) + Math.Log(SoftmaxWeights.Of(logits, 1, weights.AsSpan(0, logits.Length)));
        ArrayPool<float>.Shared.Return(weights);
        var likeliest = new LikelyToken[Math.Min(count, vocabularySize)];
        Span<int> ids = stackalloc int[likeliest.Length];
        Rank(logits[..Math.Min(vocabularySize, logits.Length)], ids);
        for (int i = 0; i < ids.Length; i++)
        {
            likeliest[i] = new LikelyToken(ids[i], logits[ids[i]] - logSum);
        }

        return (logits[id] - logSum, likeliest);
    }

    // A few of many: most tokens are compared with the last of them alone.
    private static void Rank(ReadOnlySpan<float> logits, Span<int> ids)
    {
        int count = 0;
        for (int id = 0; id < logits.Length; id++)
        {
            if (count == ids.Length && (count == 0 || !(logits[id] > logits[ids[^1]])))
            {
                continue;
            }

            count = Math.Min(count + 1, ids.Length);
            int at = count - 1;
            for (; at > 0 && logits[id] > logits[ids[at - 1]]; at--)
            {
                ids[at] = ids[at - 1];
            }

            ids[at] = id;
        }
    }
}
