namespace T2R.Generation;

/// <summary>How a text is continued.</summary>
public sealed record GenerationOptions
{
    /// <summary>How the next token is chosen.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Where the text ends at the latest, counted without the prompt.</summary>
    public int MaxNewTokens { get; init; } = 256;

    /// <summary>Whether to go on past the end-of-text token, which then is a token like others.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>
    /// Ids from this on are never chosen; null when every row of the embedding is a token. Some models have more rows than their tokenizer has pieces.
    /// </summary>
    public int? VocabularySize { get; init; }

    /// <summary>Adds a sentence for each value out of range.</summary>
    /// <param name="problems">Receives them.</param>
    public void Validate(Problems problems)
    {
        Sampling.Validate(problems);
        if (MaxNewTokens < 0)
        {
            problems.Add($"The number of new tokens is {MaxNewTokens}; expected 0 or more.");
        }
    }
}
