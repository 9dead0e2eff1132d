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
    private readonly IDecoder _decoder;
    private readonly TextTokenizer _tokenizer;
    private readonly string? _fingerprint;
    private readonly EngineOptions _options;
    private readonly SequenceBatch _batch;
    private readonly Thread _thread;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Guards what is below; the thread waits on it.
    private readonly object _gate = new();
    private readonly List<Sequence> _waiting = [];
    private EngineStatistics _statistics = new();
    private long _rejected, _cancelledWaiting, _failedWaiting;
    private bool _hasNews, _isClosed;
    private volatile bool _isCancelled;
    private Exception? _failure;

    /// <summary>Starts the thread.</summary>
    /// <param name="decoder">Reads the sequences; the engine takes it over.</param>
    /// <param name="tokenizer">Turns ids into text; ids that it does not have are never chosen.</param>
    /// <param name="fingerprint">The model's (<see cref="ModelFolder.Fingerprint"/>): states bear it, and only those that bear it are taken. Null if there are to be no states.</param>
    /// <param name="options">What it takes on.</param>
    /// <exception cref="UserErrorException">An option is out of range; all such at once.</exception>
    public Engine(IDecoder decoder, TextTokenizer tokenizer, string? fingerprint = null, EngineOptions? options = null)
    {
        (_decoder, _tokenizer, _fingerprint, _options) = (decoder, tokenizer, fingerprint, options ?? new EngineOptions());
        var problems = new Problems();
        _options.Validate(problems);
        problems.ThrowIfAny();
        _batch = new SequenceBatch(decoder, fingerprint, _options.ReaderPatience);
        _thread = new Thread(Run) { IsBackground = true, Name = "T2R engine" };
        _thread.Start();
    }

    /// <summary>The model's shape.</summary>
    public ModelConfig Config => _decoder.Config;

    /// <summary>How many sequences run at once.</summary>
    public int Slots => _decoder.Slots;

    /// <summary>The most requests it has at once: those that run and those that wait.</summary>
    public int Capacity => (int)Math.Min((long)Slots + _options.MaxQueue, int.MaxValue);

    /// <summary>Whether it takes requests: it is not being stopped, and its decoder has not failed for good.</summary>
    public bool IsOpen
    {
        get
        {
            lock (_gate)
            {
                return !_isClosed;
            }
        }
    }

    /// <summary>What it does and has done.</summary>
    public EngineStatistics Statistics
    {
        get
        {
            lock (_gate)
            {
                return _statistics with
                {
                    Waiting = _waiting.Count,
                    Rejected = _rejected,
                    Cancelled = _statistics.Cancelled + _cancelledWaiting,
                    Failed = _statistics.Failed + _failedWaiting,
                };
            }
        }
    }

    /// <summary>Takes a request, to begin as soon as a slot is free, first come first served.</summary>
    /// <param name="request">What to generate.</param>
    /// <param name="cancellation">Ends it where it is, as <see cref="RunningGeneration.Cancel"/> does.</param>
    /// <returns>At once: what is generated comes through it.</returns>
    /// <exception cref="UserErrorException">The request is wrong: all that is, at once.</exception>
    /// <exception cref="QueueFullException">Too many wait already.</exception>
    /// <exception cref="EngineStoppedException">The engine takes no more.</exception>
    public RunningGeneration Submit(GenerationRequest request, CancellationToken cancellation = default)
    {
        Check(request);
        var running = new RunningGeneration(_options.ReaderBuffer, Wake);
        var sequence = new Sequence(request, running, _decoder, _tokenizer, _options.EndIds ?? _decoder.Config.EosTokenIds, cancellation);
        if (Enqueue(sequence) is { } refusal)
        {
            sequence.Drop();
            throw refusal;
        }

        return running;
    }

    /// <summary>Takes no more requests and ends when all it has are done.</summary>
    /// <param name="cancellation">Cancels those that are not.</param>
    public async Task DrainAsync(CancellationToken cancellation = default)
    {
        Close(cancel: false);
        await using (cancellation.UnsafeRegister(e => ((Engine)e!).Close(cancel: true), this).ConfigureAwait(false))
        {
            await _ended.Task.ConfigureAwait(false);
        }
    }

    /// <summary>Takes no more requests, cancels those it has and disposes the decoder.</summary>
    public async ValueTask DisposeAsync()
    {
        Close(cancel: true);
        await _ended.Task.ConfigureAwait(false);
    }

    /// <summary>Likewise, and waits for it.</summary>
    public void Dispose()
    {
        Close(cancel: true);
        _thread.Join();
    }

    private void Check(GenerationRequest request)
    {
        var problems = new Problems();
        request.Validate(problems, Math.Min(Config.VocabularySize, _tokenizer.VocabularySize));
        if ((request.KeepState || request.From is not null) && (_fingerprint is null || !Config.IsRecurrent))
        {
            problems.Add("A sequence's state is asked for or given; only recurrent models have one, and this is none.");
        }
        else if (request.From is { } state && state.Fingerprint != _fingerprint)
        {
            problems.Add($"The state is of the model with the fingerprint {state.Fingerprint}; this one has {_fingerprint}.");
        }

        problems.ThrowIfAny();
    }

    // Null if there is room.
    private Exception? Enqueue(Sequence sequence)
    {
        lock (_gate)
        {
            if (_isClosed)
            {
                return new EngineStoppedException(_failure is null ? "The engine is being stopped and takes no more requests." : $"The engine has failed: {_failure.Message}", _failure);
            }

            int waiting = _waiting.Count + _statistics.Active - Slots;
            if (waiting >= _options.MaxQueue)
            {
                _rejected++;
                return new QueueFullException(waiting);
            }

            _waiting.Add(sequence);
            Wake();
            return null;
        }
    }

    private void Run()
    {
        try
        {
            while (Admit())
            {
                bool hasWorked = _batch.Prefill() | _batch.Step();
                Publish();
                if (!hasWorked)
                {
                    Wait();
                }
            }
        }
        catch (Exception e)
        {
            FailAll(e);
        }

        try
        {
            _decoder.Dispose();
            _ended.SetResult();
        }
        catch (Exception e)
        {
            _ended.SetException(e);
        }
    }

    // Returns whether there is more to do, now or later.
    private bool Admit()
    {
        _batch.Sweep(_isCancelled);
        while (NextWaiting() is { } sequence)
        {
            if (_isCancelled || sequence.Running.IsCancelled)
            {
                sequence.End(FinishReason.Cancelled, null);
            }
            else
            {
                _batch.Add(sequence);
            }
        }

        Publish();
        lock (_gate)
        {
            return !_isClosed || _waiting.Count + _batch.Count > 0;
        }
    }

    // Those that are cancelled wait for no slot.
    private Sequence? NextWaiting()
    {
        lock (_gate)
        {
            int index = _waiting.FindIndex(s => _isCancelled || s.Running.IsCancelled);
            _cancelledWaiting += index >= 0 ? 1 : 0;
            index = index < 0 && _batch.HasRoom && _waiting.Count > 0 ? 0 : index;
            if (index < 0)
            {
                return null;
            }

            var next = _waiting[index];
            _waiting.RemoveAt(index);
            return next;
        }
    }

    private void Publish()
    {
        var now = _batch.Done with { Active = _batch.Count, StateBytes = _batch.StateBytes };
        lock (_gate)
        {
            _statistics = now;
        }
    }

    private void FailAll(Exception exception)
    {
        Sequence[] waiting;
        lock (_gate)
        {
            (_isClosed, _failure) = (true, exception);
            waiting = [.. _waiting];
            _failedWaiting += waiting.Length;
            _waiting.Clear();
        }

        // Not under the gate: letting go of a caller's token waits for what it is calling, which wants the gate.
        Array.ForEach(waiting, s => s.Fail(exception));
        _batch.Fail(exception);
        Publish();
    }

    private void Close(bool cancel)
    {
        lock (_gate)
        {
            _isClosed = true;
            _isCancelled |= cancel;
            Wake();
        }
    }

    private void Wake()
    {
        lock (_gate)
        {
            _hasNews = true;
            Monitor.Pulse(_gate);
        }
    }

    private void Wait()
    {
        lock (_gate)
        {
            if (!_hasNews)
            {
                Monitor.Wait(_gate, _batch.Quiet);
            }

            _hasNews = false;
        }
    }
}
