using T2R.Data;

namespace T2R.Generation;

/// <summary>
/// Chooses tokens from logits. Draws come from SplitMix64: equal seeds and logits give equal tokens, whatever the runtime. Of equal logits the lower id counts as
/// the likelier.
/// </summary>
public sealed class Sampler
{
    private readonly SamplingOptions _options;
    private readonly List<(int Id, double Weight)> _candidates = [];
    private SplitMix64 _random;

    /// <summary>A sampler at the beginning of its seed's draws.</summary>
    /// <param name="options">How to choose.</param>
    /// <exception cref="UserErrorException">A value is out of range; all such values at once.</exception>
    public Sampler(SamplingOptions options)
    {
        var problems = new Problems();
        options.Validate(problems);
        problems.ThrowIfAny();
        _options = options;
        _random = new SplitMix64(options.Seed);
    }

    /// <summary>Chooses the next token.</summary>
    /// <param name="logits"><c>[V]</c>; −∞ excludes a token.</param>
    /// <returns>An id from 0 to V − 1.</returns>
    /// <exception cref="UserErrorException">A logit is NaN or +∞, or all are −∞: the model is damaged or its dtype overflows.</exception>
    public int Next(ReadOnlySpan<float> logits)
    {
        int likeliest = Likeliest(logits);
        if (_options.Temperature == 0)
        {
            return likeliest;
        }

        Weigh(logits, logits[likeliest]);
        return Draw();
    }

    private static int Likeliest(ReadOnlySpan<float> logits)
    {
        int best = 0;
        bool broken = false;
        for (int i = 0; i < logits.Length; i++)
        {
            broken |= float.IsNaN(logits[i]);
            best = logits[i] > logits[best] ? i : best;
        }

        return !broken && float.IsFinite(logits[best])
            ? best
            : throw new UserErrorException("The model's logits are not finite numbers; its weights are damaged, or too large for the dtype: try float32.");
    }

    // Weights relative to the likeliest token's, which is 1: softmax without its divisor.
    private void Weigh(ReadOnlySpan<float> logits, float largest)
    {
        _candidates.Clear();
        for (int i = 0; i < logits.Length; i++)
        {
            double weight = Math.Exp((logits[i] - (double)largest) / _options.Temperature);
            if (weight > 0)
            {
                _candidates.Add((i, weight));
            }
        }

        if (_options.TopK is { } k && k < _candidates.Count)
        {
            Rank();
            _candidates.RemoveRange(k, _candidates.Count - k);
        }

        if (_options.TopP < 1)
        {
            KeepNucleus();
        }
    }

    private void KeepNucleus()
    {
        double total = Total();

        // Tokens below (1 − p) / n of the whole sum to less than 1 − p: none of them is in the nucleus, and few remain to be ranked.
        double least = total * (1 - _options.TopP) / _candidates.Count;
        _candidates.RemoveAll(c => c.Weight < least);
        Rank();
        double sum = 0;
        int kept = 0;
        while (kept < _candidates.Count && sum < _options.TopP * total)
        {
            sum += _candidates[kept++].Weight;
        }

        _candidates.RemoveRange(kept, _candidates.Count - kept);
    }

    private void Rank() => _candidates.Sort((a, b) => a.Weight != b.Weight ? b.Weight.CompareTo(a.Weight) : a.Id.CompareTo(b.Id));

    private int Draw()
    {
        double left = Total() * (_random.Next() >> 11) * (1.0 / (1UL << 53));
        foreach (var (id, weight) in _candidates)
        {
            left -= weight;
            if (left < 0)
            {
                return id;
            }
        }

        // Rounding may leave a trace of the last token's share.
        return _candidates[^1].Id;
    }

    private double Total()
    {
        double sum = 0;
        foreach (var (_, weight) in _candidates)
        {
            sum += weight;
        }

        return sum;
    }
}
