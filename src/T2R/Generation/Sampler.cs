using System.Buffers;
using System.Numerics.Tensors;

namespace T2R.Generation;

/// <summary>
/// Chooses one sequence's tokens from logits. A draw follows from the seed, its number and the logits alone (<see cref="GumbelMax"/>), so that a sequence's tokens do not depend
/// on what runs beside it, and a card can make the same draws. Of equal logits the lower id counts as the likelier. Not for several threads.
/// </summary>
public sealed class Sampler
{
    // A bit an id.
    private readonly ulong[] _seen;

    /// <summary>A sampler at the beginning of its seed's draws, or where another left off.</summary>
    /// <param name="options">How to choose.</param>
    /// <param name="vocabularySize">Ids from this on are never chosen: some models have more rows than their tokenizer has pieces.</param>
    /// <param name="draws">The other's <see cref="Draws"/>.</param>
    /// <exception cref="UserErrorException">A value is out of range; all such values at once.</exception>
    public Sampler(SamplingOptions options, int vocabularySize, long draws = 0)
    {
        var problems = new Problems();
        options.Validate(problems, vocabularySize);
        problems.ThrowIfAny();
        (Options, VocabularySize, Draws, _seen) = (options, vocabularySize, draws, new ulong[(vocabularySize + 63) / 64]);
    }

    /// <summary>How it chooses.</summary>
    public SamplingOptions Options { get; }

    /// <summary>Ids are below this.</summary>
    public int VocabularySize { get; }

    /// <summary>Tokens chosen so far: the number of the next draw.</summary>
    public long Draws { get; private set; }

    /// <summary>The ids of the text so far, each once, ascending: what the repetition penalty concerns.</summary>
    public IEnumerable<int> Seen
    {
        get
        {
            for (int id = 0; id < VocabularySize; id++)
            {
                if ((_seen[id / 64] >> (id % 64) & 1) == 1)
                {
                    yield return id;
                }
            }
        }
    }

    /// <summary>Takes note of ids of the text that were not chosen here: its prompt's, or <see cref="Seen"/> of another.</summary>
    /// <param name="ids">Below <see cref="VocabularySize"/>.</param>
    public void Observe(IEnumerable<int> ids)
    {
        foreach (int id in ids)
        {
            _seen[id / 64] |= 1UL << (id % 64);
        }
    }

    /// <summary>Takes note of a token that was chosen: the next draw is another.</summary>
    /// <param name="id">What <see cref="Next"/> gave.</param>
    public void Accept(int id)
    {
        _seen[id / 64] |= 1UL << (id % 64);
        Draws++;
    }

    /// <summary>The token that the next draw chooses. Asked again, it gives the same.</summary>
    /// <param name="logits"><c>[V]</c>; −∞ excludes a token.</param>
    /// <returns>An id below <see cref="VocabularySize"/>.</returns>
    /// <exception cref="UserErrorException">A logit is NaN or +∞, or all are −∞: the model is damaged or its dtype overflows.</exception>
    public int Next(ReadOnlySpan<float> logits)
    {
        logits = logits[..Math.Min(VocabularySize, logits.Length)];
        int likeliest = Likeliest(logits);
        float[] rented = ArrayPool<float>.Shared.Rent(logits.Length);
        try
        {
            var changed = rented.AsSpan(0, logits.Length);
            if (Options.RepetitionPenalty != 1 || Options.LogitBias.Count > 0)
            {
                logits.CopyTo(changed);
                Adjust(changed);
                logits = changed;
                likeliest = Likeliest(logits);
            }

            return Options.Temperature == 0
                ? likeliest
                : GumbelMax.Draw(TokenFilter.Apply(Options, logits, logits[likeliest], changed), likeliest, Options.Temperature, Options.Seed, Draws);
        }
        finally
        {
            ArrayPool<float>.Shared.Return(rented);
        }
    }

    /// <summary>What is thrown where there is nothing to choose from.</summary>
    internal static UserErrorException NotFinite() => new("The model's logits are not finite numbers; its weights are damaged, or too large for the dtype: try float32.");

    // The largest of numbers one of which is NaN is NaN.
    private static int Likeliest(ReadOnlySpan<float> logits) => TensorPrimitives.Max(logits) is var largest && float.IsFinite(largest)
        ? TokenFilter.FirstAtLeast(logits, largest)
        : throw NotFinite();

    private void Adjust(Span<float> logits)
    {
        if (Options.RepetitionPenalty != 1)
        {
            float penalty = (float)Options.RepetitionPenalty;
            foreach (int id in Seen)
            {
                logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
            }
        }

        foreach (var (id, bias) in Options.LogitBias)
        {
            logits[id] += bias;
        }
    }
}
