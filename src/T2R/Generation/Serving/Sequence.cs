using System.Diagnostics;
using T2R.Generation.Decoding;
using T2R.Tokenization;

namespace T2R.Generation.Serving;

/// <summary>A request on its way: what it has still to read, and what becomes of what is chosen. It has a slot from <see cref="Begin"/> on.</summary>
internal sealed class Sequence
{
    private readonly int _prefillLength;
    private readonly IReadOnlyList<int> _endIds;
    private readonly HeldTokens _held;
    private readonly long _submitted = Stopwatch.GetTimestamp();
    private readonly CancellationTokenRegistration _registration;
    private int[] _ids;
    private int _read, _echoed, _newTokens;
    private long _begun, _first;

    internal Sequence(GenerationRequest request, RunningGeneration running, IDecoder decoder, TextTokenizer tokenizer, IReadOnlyList<int> endIds, CancellationToken cancellation)
    {
        (Request, Running, _prefillLength, _endIds) = (request, running, decoder.PrefillLength, endIds);
        _ids = [.. request.From?.Unread ?? [], .. request.Prompt];
        _echoed = request.Echo ? _ids.Length - request.Prompt.Count : _ids.Length;
        _held = new HeldTokens(tokenizer, request.Stops, begun: request.From?.Memory.Length > 1, running.Give);
        Sampler = new Sampler(request.Sampling, Math.Min(decoder.Config.VocabularySize, tokenizer.VocabularySize), request.From?.Draws ?? 0);
        Sampler.Observe([.. request.From?.Seen ?? [], .. _ids]);
        _registration = cancellation.UnsafeRegister(r => ((RunningGeneration)r!).Cancel(), running);
    }

    internal GenerationRequest Request { get; }

    internal RunningGeneration Running { get; }

    internal Sampler Sampler { get; }

    /// <summary>Where it is in the decoder.</summary>
    internal int Slot { get; private set; }

    /// <summary>
    /// Whether it reads no more. What is unread then, at most a piece, is left for a sequence that goes on from this one: it will be cut as it would have been here.
    /// </summary>
    internal bool IsDone => _newTokens >= Request.MaxNewTokens && Unread <= (IsStepwise ? 1 : _prefillLength);

    /// <summary>Ids to be read next at once; 1 for a step.</summary>
    internal int NextLength => IsStepwise ? 1 : Math.Min(_prefillLength, Unread);

    /// <summary>Whether all that was given or chosen has been read, so that a token is to be chosen.</summary>
    internal bool IsRead => Unread == 0;

    /// <summary>Whether what is read is the prompt.</summary>
    internal bool IsPrompt => Sampler.Draws == (Request.From?.Draws ?? 0);

    /// <summary>When its reader was first found too far behind, and how far; null while it is not.</summary>
    internal (long Since, int Untaken)? Paused { get; set; }

    private int Unread => _ids.Length - _read;

    // The prompt's log-probabilities need the logits of each of its ids.
    private bool IsStepwise => IsPrompt && Request is { Echo: true, LogProbabilities: not null };

    internal ReadOnlySpan<int> Next => _ids.AsSpan(_read, NextLength);

    internal void Begin(int slot)
    {
        (Slot, _begun) = (slot, Stopwatch.GetTimestamp());
        for (int i = 0; i < _echoed; i++)
        {
            _held.Skip(_ids[i]);
        }

        Echo([]);
    }

    /// <summary>Takes note that <see cref="Next"/> was read.</summary>
    /// <param name="logits">Of the token that follows.</param>
    internal void Advance(ReadOnlySpan<float> logits)
    {
        _read += NextLength;
        Echo(logits);
    }

    /// <summary>Takes a token that was chosen.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="logits">What it was chosen from.</param>
    /// <returns>Why the sequence ends with it, or null.</returns>
    internal FinishReason? Take(int id, ReadOnlySpan<float> logits)
    {
        Sampler.Accept(id);
        (_ids, _read, _echoed) = ([id], 0, 1);
        if (_endIds.Contains(id) && !Request.IgnoreEos)
        {
            _held.End(id);
            return FinishReason.Stop;
        }

        _first = _newTokens++ == 0 ? Stopwatch.GetTimestamp() : _first;
        bool hasStopped = _held.Append(Token(id, isPrompt: false, logits));
        return hasStopped ? FinishReason.Stop : IsDone ? FinishReason.Length : null;
    }

    /// <summary>The sequence put aside.</summary>
    internal SequenceState State(string fingerprint, SlotState memory) => new(fingerprint, memory, _ids[_read..], Sampler.Draws, [.. Sampler.Seen]);

    /// <summary>Lets go of the caller's token.</summary>
    internal void Drop() => _registration.Dispose();

    internal void End(FinishReason reason, SequenceState? state)
    {
        Drop();
        if (reason == FinishReason.Length)
        {
            _read = _ids.Length;
            Echo([]);
        }

        _held.End();
        long now = Stopwatch.GetTimestamp();
        _begun = _begun == 0 ? now : _begun;
        _first = _first == 0 ? now : _first;
        Running.End(new GenerationResult(
            reason,
            Request.Prompt.Count,
            _newTokens,
            Stopwatch.GetElapsedTime(_submitted, _begun),
            Stopwatch.GetElapsedTime(_begun, _first),
            Stopwatch.GetElapsedTime(_first, now),
            _held.Unsaid,
            state));
    }

    internal void Fail(Exception exception)
    {
        Drop();
        Running.Fail(exception);
    }

    // The prompt's tokens that have been read, and the one that follows them.
    private void Echo(ReadOnlySpan<float> logits)
    {
        for (; _echoed < _ids.Length && _echoed <= _read; _echoed++)
        {
            _held.AppendPrompt(Token(_ids[_echoed], isPrompt: true, logits));
        }
    }

    private GenerationToken Token(int id, bool isPrompt, ReadOnlySpan<float> logits)
    {
        var token = new GenerationToken(id, "", isPrompt);
        if (Request.LogProbabilities is not { } count || logits.IsEmpty)
        {
            return token;
        }

        var (logProbability, likeliest) = LogProbabilities.Of(logits, id, count, Sampler.VocabularySize);
        return token with { LogProbability = logProbability, Likeliest = likeliest };
    }
}
