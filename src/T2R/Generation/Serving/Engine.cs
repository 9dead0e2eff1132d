using T2R.Generation.Decoding;
using T2R.Models;
using T2R.Tokenization;

namespace T2R.Generation.Serving;

/// <summary>
/// Generates for many requests at once with one decoder, on a thread of its own: requests join and leave at any step (continuous batching: Yu et al., Orca, OSDI 2022), and
/// long prompts are read piece by piece between the steps of the others. Its methods are for any thread.
/// </summary>
public sealed class Engine : IAsyncDisposable, IDisposable
{
    /// <summary>Starts the thread.</summary>
    /// <param name="decoder">Reads the sequences; the engine takes it over.</param>
    /// <param name="tokenizer">Turns ids into text; ids that it does not have are never chosen.</param>
    /// <param name="fingerprint">The model's (<see cref="ModelFolder.Fingerprint"/>): states bear it, and only those that bear it are taken.</param>
    /// <param name="options">What it takes on.</param>
    /// <exception cref="UserErrorException">An option is out of range; all such at once.</exception>
    public Engine(IDecoder decoder, SentencePieceTokenizer tokenizer, string fingerprint, EngineOptions? options = null) => throw new NotImplementedException();

    /// <summary>The model's shape.</summary>
    public ModelConfig Config => throw new NotImplementedException();

    /// <summary>How many sequences run at once.</summary>
    public int Slots => throw new NotImplementedException();

    /// <summary>What it does and has done.</summary>
    public EngineStatistics Statistics => throw new NotImplementedException();

    /// <summary>Takes a request, to begin as soon as a slot is free, first come first served.</summary>
    /// <param name="request">What to generate.</param>
    /// <param name="cancellation">Ends it where it is, as <see cref="RunningGeneration.Cancel"/> does.</param>
    /// <returns>At once: what is generated comes through it.</returns>
    /// <exception cref="UserErrorException">The request is wrong: all that is, at once.</exception>
    /// <exception cref="QueueFullException">Too many wait already.</exception>
    /// <exception cref="EngineStoppedException">The engine takes no more.</exception>
    public RunningGeneration Submit(GenerationRequest request, CancellationToken cancellation = default) => throw new NotImplementedException();

    /// <summary>Takes no more requests and ends when all it has are done.</summary>
    /// <param name="cancellation">Cancels those that are not.</param>
    public Task DrainAsync(CancellationToken cancellation = default) => throw new NotImplementedException();

    /// <summary>Takes no more requests, cancels those it has and disposes the decoder.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();

    /// <summary>Likewise, and waits for it.</summary>
    public void Dispose() => throw new NotImplementedException();
}
