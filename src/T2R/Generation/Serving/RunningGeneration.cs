using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace T2R.Generation.Serving;

/// <summary>A request that an engine has taken.</summary>
public sealed class RunningGeneration
{
    private readonly Channel<GenerationToken> _tokens = Channel.CreateUnbounded<GenerationToken>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly TaskCompletionSource<GenerationResult> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _buffer;
    private readonly Action _wake;
    private int _untaken, _isRead;
    private volatile bool _isCancelled;

    internal RunningGeneration(int buffer, Action wake) => (_buffer, _wake) = (buffer, wake);

    /// <summary>
    /// The tokens as they become certain, to be enumerated once. Leaving the enumeration early cancels the generation; a generation that is cancelled ends it without an
    /// exception. A reader that falls <see cref="EngineOptions.ReaderBuffer"/> tokens behind makes the sequence pause, and one that takes nothing for
    /// <see cref="EngineOptions.ReaderPatience"/> then cancels it.
    /// </summary>
    /// <exception cref="UserErrorException">The model yields no numbers.</exception>
    /// <exception cref="InvalidOperationException">They are enumerated already.</exception>
    /// <remarks>What the decoder throws, it throws too.</remarks>
    public IAsyncEnumerable<GenerationToken> Tokens => Read();

    /// <summary>What it came to, once it has ended; faults with what the decoder threw. Await it after the tokens: who does not read them is a slow reader.</summary>
    public Task<GenerationResult> Result => _result.Task;

    /// <summary>Whether it has been asked to end.</summary>
    internal bool IsCancelled => _isCancelled;

    /// <summary>Tokens that its reader has not taken.</summary>
    internal int Untaken => Volatile.Read(ref _untaken);

    /// <summary>Whether the reader is too far behind for more.</summary>
    internal bool IsFull => Untaken >= _buffer;

    /// <summary>Ends it where it is. Again, or after the end, it does nothing.</summary>
    public void Cancel()
    {
        _isCancelled = true;
        _wake();
    }

    internal void Give(GenerationToken token)
    {
        Interlocked.Increment(ref _untaken);
        _tokens.Writer.TryWrite(token);
    }

    internal void End(GenerationResult result)
    {
        _result.TrySetResult(result);
        _tokens.Writer.TryComplete();
    }

    internal void Fail(Exception exception)
    {
        _result.TrySetException(exception);
        _tokens.Writer.TryComplete(exception);
    }

    private async IAsyncEnumerable<GenerationToken> Read([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        if (Interlocked.Exchange(ref _isRead, 1) == 1)
        {
            throw new InvalidOperationException("the tokens are read already; they can be read once");
        }

        try
        {
            await foreach (var token in _tokens.Reader.ReadAllAsync(cancellation).ConfigureAwait(false))
            {
                if (Interlocked.Decrement(ref _untaken) == _buffer - 1)
                {
                    _wake();
                }

                yield return token;
            }
        }
        finally
        {
            Cancel();
        }
    }
}
