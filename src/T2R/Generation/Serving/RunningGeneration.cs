namespace T2R.Generation.Serving;

/// <summary>A request that an engine has taken.</summary>
public sealed class RunningGeneration
{
    internal RunningGeneration()
    {
    }

    /// <summary>
    /// The tokens as they become certain, to be enumerated once. Leaving the enumeration early cancels the generation; a generation that is cancelled ends it without an
    /// exception. A reader that falls <see cref="EngineOptions.ReaderBuffer"/> tokens behind makes the sequence pause, and one that takes nothing for
    /// <see cref="EngineOptions.ReaderPatience"/> then cancels it.
    /// </summary>
    /// <exception cref="UserErrorException">The model yields no numbers.</exception>
    /// <remarks>What the decoder throws, it throws too.</remarks>
    public IAsyncEnumerable<GenerationToken> Tokens => throw new NotImplementedException();

    /// <summary>What it came to, once it has ended; faults with what the decoder threw. Await it after the tokens: who does not read them is a slow reader.</summary>
    public Task<GenerationResult> Result => throw new NotImplementedException();

    /// <summary>Ends it where it is. Again, or after the end, it does nothing.</summary>
    public void Cancel() => throw new NotImplementedException();
}
