using System.Collections.Immutable;

namespace T2R.Generation;

/// <summary>How the next token is chosen. What changes and drops tokens applies in the order of the properties.</summary>
public sealed record SamplingOptions
{
    /// <summary>The least and the most of <see cref="RepetitionPenalty"/>.</summary>
    public const double LeastPenalty = 0.1, MostPenalty = 10;

    /// <summary>The most that <see cref="LogitBias"/> adds, or takes away.</summary>
    public const float MostBias = 100;

    /// <summary>The most ids of <see cref="LogitBias"/>.</summary>
    public const int MostBiases = 1024;

    /// <summary>
    /// Makes ids that the text or its prompt has less likely: a positive logit is divided by this, a negative one multiplied (Keskar et al., CTRL, 2019, section 4.1). 1 for none.
    /// </summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>What is added to the logits of at most <see cref="MostBiases"/> ids, −100 to 100.</summary>
    public IReadOnlyDictionary<int, float> LogitBias { get; init; } = ImmutableDictionary<int, float>.Empty;

    /// <summary>Divides the logits; 0 always takes the likeliest token.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>How many of the likeliest tokens remain; null for all.</summary>
    public int? TopK { get; init; }

    /// <summary>The fewest of the likeliest tokens remain whose probabilities sum to this; 1 for all (Holtzman et al., 2020).</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Tokens remain that are at least this times as probable as the likeliest; 0 for all (Nguyen et al., Turning up the heat: min-p sampling, 2024).</summary>
    public double MinP { get; init; }

    /// <summary>Decides the draws.</summary>
    public ulong Seed { get; init; }

    /// <summary>Adds a sentence for each value out of range.</summary>
    /// <param name="problems">Receives them.</param>
    /// <param name="vocabularySize">Ids are below this.</param>
    public void Validate(Problems problems, int vocabularySize = int.MaxValue)
    {
        if (RepetitionPenalty is not (>= LeastPenalty and <= MostPenalty))
        {
            problems.Add($"The repetition penalty is {RepetitionPenalty}; expected {LeastPenalty} to {MostPenalty}, or 1 for none.");
        }

        if (!double.IsFinite(Temperature) || Temperature < 0)
        {
            problems.Add($"The temperature is {Temperature}; expected 0 (always the likeliest token) or a positive number, such as 0.8.");
        }

        if (TopK < 1)
        {
            problems.Add($"top-k is {TopK}; expected at least 1, or nothing to keep all tokens.");
        }

        if (TopP is not (> 0 and <= 1))
        {
            problems.Add($"top-p is {TopP}; expected more than 0 and at most 1.");
        }

        if (MinP is not (>= 0 and <= 1))
        {
            problems.Add($"min-p is {MinP}; expected 0 to 1.");
        }

        if (LogitBias.Count > MostBiases)
        {
            problems.Add($"There are logit biases for {LogitBias.Count} ids; expected at most {MostBiases}.");
            return;
        }

        foreach (var (id, bias) in LogitBias)
        {
            if (bias is not (>= -MostBias and <= MostBias))
            {
                problems.Add($"The logit bias of id {id} is {bias}; expected {-MostBias} to {MostBias}.");
            }

            if ((uint)id >= (uint)vocabularySize)
            {
                problems.Add($"There is a logit bias for id {id}; ids are 0 to {vocabularySize - 1}.");
            }
        }
    }
}
