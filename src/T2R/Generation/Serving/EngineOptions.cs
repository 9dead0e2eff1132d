namespace T2R.Generation.Serving;

/// <summary>What an engine takes on.</summary>
public sealed record EngineOptions
{
    /// <summary>The most requests that wait for a slot.</summary>
    public int MaxQueue { get; init; } = 256;

    /// <summary>Tokens of a sequence that wait for its reader before it pauses.</summary>
    public int ReaderBuffer { get; init; } = 256;

    /// <summary>How long a paused sequence keeps its slot for a reader that takes nothing, a day at most.</summary>
    public TimeSpan ReaderPatience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The ids that end a text (<see cref="Models.BoundaryIds.Ends"/>); null for those of the model's config alone.</summary>
    public IReadOnlyList<int>? EndIds { get; init; }

    /// <summary>Adds a sentence for each value out of range.</summary>
    /// <param name="problems">Receives them.</param>
    public void Validate(Problems problems)
    {
        if (MaxQueue < 0)
        {
            problems.Add($"The queue is to hold {MaxQueue} requests; expected 0 or more.");
        }

        if (ReaderBuffer < 1)
        {
            problems.Add($"{ReaderBuffer} tokens may wait for their reader; expected at least 1.");
        }

        if (ReaderPatience <= TimeSpan.Zero || ReaderPatience > TimeSpan.FromDays(1))
        {
            problems.Add($"A reader is given {ReaderPatience.TotalSeconds} seconds; expected more than 0, and a day ({TimeSpan.FromDays(1).TotalSeconds}) at most.");
        }
    }
}
