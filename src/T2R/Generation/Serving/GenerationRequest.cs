namespace T2R.Generation.Serving;

/// <summary>What is to be generated. The ids that it yields follow from it, the model and the decoder alone, whatever else runs beside it.</summary>
public sealed record GenerationRequest
{
    /// <summary>The most of <see cref="LogProbabilities"/>.</summary>
    public const int MaxLogProbabilities = 20;

    /// <summary>The most stop strings.</summary>
    public const int MaxStops = 32;

    /// <summary>The most UTF-16 units of a stop string.</summary>
    public const int MaxStopLength = 256;

    /// <summary>
    /// The text to continue, exactly as the model is to read it: nothing is put before it, so a text that begins needs the beginning-of-text id. It may be empty if
    /// <see cref="From"/> has something unread.
    /// </summary>
    public required IReadOnlyList<int> Prompt { get; init; }

    /// <summary>How the next token is chosen.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Where the text ends at the latest, counted without the prompt. 0 reads the prompt and chooses nothing.</summary>
    public int MaxNewTokens { get; init; } = 256;

    /// <summary>Whether to go on past the end-of-text token, which then is a token like others.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Texts that end it when they come in what is generated; they are not part of it, nor is what follows.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>
    /// How many of the likeliest tokens each token comes with, beside its own log-probability; 0 for its own alone, null for none. Natural logarithms of the softmax of the
    /// model's logits, before anything in <see cref="Sampling"/> touches them.
    /// </summary>
    public int? LogProbabilities { get; init; }

    /// <summary>
    /// Whether the prompt's tokens come first, as tokens like the others. With <see cref="LogProbabilities"/> the prompt is read one token at a time, which costs as much
    /// as generating it.
    /// </summary>
    public bool Echo { get; init; }

    /// <summary>A sequence to go on with; null begins a new one.</summary>
    public SequenceState? From { get; init; }

    /// <summary>Whether the result holds the sequence's state, to go on with. Recurrent models only.</summary>
    public bool KeepState { get; init; }

    /// <summary>Adds a sentence for each value out of range.</summary>
    /// <param name="problems">Receives them.</param>
    /// <param name="vocabularySize">Ids are below this.</param>
    public void Validate(Problems problems, int vocabularySize)
    {
        Sampling.Validate(problems, vocabularySize);
        if (Prompt.Count == 0 && From is not { Unread.Count: > 0 })
        {
            problems.Add("The prompt has no ids; expected at least one, such as the beginning-of-text id.");
        }

        CheckIds(Prompt, "The prompt", vocabularySize, problems);
        CheckIds([.. From?.Unread ?? [], .. From?.Seen ?? []], "The state", vocabularySize, problems);
        if (MaxNewTokens < 0)
        {
            problems.Add($"The number of new tokens is {MaxNewTokens}; expected 0 or more.");
        }

        if (LogProbabilities is < 0 or > MaxLogProbabilities)
        {
            problems.Add($"Log-probabilities of the {LogProbabilities} likeliest tokens are asked for; expected 0 to {MaxLogProbabilities}.");
        }

        if (Stops.Count > MaxStops)
        {
            problems.Add($"There are {Stops.Count} stop strings; expected at most {MaxStops}.");
        }

        if (Stops.FirstOrDefault(s => s.Length is 0 or > MaxStopLength) is { } stop)
        {
            problems.Add($"A stop string has {stop.Length} characters; expected 1 to {MaxStopLength}.");
        }
    }

    private static void CheckIds(IReadOnlyList<int> ids, string whose, int vocabularySize, Problems problems)
    {
        int wrong = ids.FirstOrDefault(id => (uint)id >= (uint)vocabularySize);
        if ((uint)wrong >= (uint)vocabularySize)
        {
            problems.Add($"{whose} has id {wrong}; ids are 0 to {vocabularySize - 1}.");
        }
    }
}
