using System.Buffers;
using System.Numerics.Tensors;

namespace T2R.Generation;

/// <summary>
/// Chooses one sequence's tokens from logits. A draw follows from the seed, its number and the logits alone (<see cref="GumbelMax"/>), so that a sequence's tokens do not depend
/// on what runs beside it, and a card can make the same draws. Of equal logits the lower id counts as the likelier. Not for several threads.
/// </summary>
public sealed class Sampler
{
    private readonly HashSet<int> _seen;

    /// <summary>A sampler at the beginning of its seed's draws, or where another left off.</summary>
    /// <param name="options">How to choose.</param>
    /// <param name="vocabularySize">Ids from this on are never chosen: some models have more rows than their tokenizer has pieces.</param>
    /// <param name="draws">The other's <see cref="Draws"/>.</param>
    /// <param name="seen">The other's <see cref="Seen"/>.</param>
    /// <exception cref="UserErrorException">A value is out of range; all such values at once.</exception>
    public Sampler(SamplingOptions options, int vocabularySize, long draws = 0, IEnumerable<int>? seen = null)
    {
        var problems = new Problems();
        options.Validate(problems);
        foreach (int id in options.LogitBias.Keys.Where(id => (uint)id >= (uint)vocabularySize))
        {
            problems.Add($"There is a logit bias for id {id}; ids are 0 to {vocabularySize - 1}.");
        }

        problems.ThrowIfAny();
        (Options, VocabularySize, Draws, _seen) = (options, vocabularySize, draws, [.. seen ?? []]);
    }

    /// <summary>How it chooses.</summary>
    public SamplingOptions Options { get; }

    /// <summary>Ids are below this.</summary>
    public int VocabularySize { get; }

    /// <summary>Tokens chosen so far: the number of the next draw.</summary>
    public long Draws { get; private set; }

    /// <summary>The ids of the text so far, each once, in no order: what the repetition penalty concerns.</summary>
    public IReadOnlyCollection<int> Seen => _seen;

    /// <summary>Takes note of ids that were given, such as a prompt's.</summary>
    /// <param name="ids">Any.</param>
    public void Observe(IEnumerable<int> ids) => _seen.UnionWith(ids);

    /// <summary>Takes note of a token that was chosen: the next draw is another.</summary>
    /// <param name="id">What <see cref="Next"/> gave.</param>
    public void Accept(int id)
    {
        _seen.Add(id);
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

    // The largest of numbers one of which is NaN is NaN.
    private static int Likeliest(ReadOnlySpan<float> logits) => TensorPrimitives.Max(logits) is var largest && float.IsFinite(largest)
        ? TokenFilter.FirstAtLeast(logits, largest)
        : throw new UserErrorException("The model's logits are not finite numbers; its weights are damaged, or too large for the dtype: try float32.");

    private void Adjust(Span<float> logits)
    {
        if (Options.RepetitionPenalty != 1)
        {
            float penalty = (float)Options.RepetitionPenalty;
            foreach (int id in _seen)
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
