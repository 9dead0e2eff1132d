namespace T2R.Generation;

/// <summary>How the next token is chosen. The filters apply in the order of the properties.</summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits; 0 always takes the likeliest token.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>How many of the likeliest tokens remain; null for all.</summary>
    public int? TopK { get; init; }

    /// <summary>The fewest of the likeliest tokens remain whose probabilities sum to this; 1 for all (Holtzman et al., 2020).</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Decides the draws.</summary>
    public ulong Seed { get; init; }

    /// <summary>Adds a sentence for each value out of range.</summary>
    /// <param name="problems">Receives them.</param>
    public void Validate(Problems problems)
    {
        if (!(Temperature >= 0 && double.IsFinite(Temperature)))
        {
            problems.Add($"The temperature is {Temperature}; expected 0 (always the likeliest token) or a positive number, such as 0.8.");
        }

        if (TopK < 1)
        {
            problems.Add($"top-k is {TopK}; expected at least 1, or nothing to keep all tokens.");
        }

        if (!(TopP > 0 && TopP <= 1))
        {
            problems.Add($"top-p is {TopP}; expected more than 0 and at most 1.");
        }
    }
}
