using System.Diagnostics;
using T2R.Generation.Decoding;

namespace T2R.Generation.Serving;

/// <summary>The sequences that have a slot, and what the decoder does for them. For the engine's thread alone.</summary>
/// <param name="decoder">Has the slots.</param>
/// <param name="fingerprint">The model's, or null if states are not kept.</param>
/// <param name="patience">As <see cref="EngineOptions.ReaderPatience"/>.</param>
internal sealed class SequenceBatch(IDecoder decoder, string? fingerprint, TimeSpan patience)
{
    private readonly List<Sequence> _sequences = [];
    private readonly Stack<int> _free = new(Enumerable.Range(0, decoder.Slots).Reverse());
    private readonly int[] _slots = new int[decoder.Slots], _ids = new int[decoder.Slots];
    private readonly Sampler[] _samplers = new Sampler[decoder.Slots];

    internal bool HasRoom => _free.Count > 0;

    internal int Count => _sequences.Count;

    internal long StateBytes => _sequences.Sum(s => decoder.StateBytes(s.Slot));

    /// <summary>How long nothing can happen by itself: until a reader's patience ends.</summary>
    internal TimeSpan Quiet { get; private set; }

    /// <summary>What has been done here, of <see cref="EngineStatistics"/>.</summary>
    internal EngineStatistics Done { get; private set; } = new();

    /// <summary>Gives a sequence a slot, of which there must be a free one.</summary>
    internal void Add(Sequence sequence)
    {
        int slot = _free.Pop();
        _sequences.Add(sequence);
        Try([sequence], () =>
        {
            sequence.Begin(slot);
            if (sequence.Request.From is { } state)
            {
                decoder.Load(sequence.Slot, state.Memory);
            }

            LeaveIfDone(sequence);
        });
    }

    /// <summary>Ends those that are cancelled or have lost their readers, or all.</summary>
    internal void Sweep(bool all)
    {
        Quiet = Timeout.InfiniteTimeSpan;
        foreach (var sequence in _sequences.ToArray())
        {
            if (all || sequence.Running.IsCancelled || !HasReader(sequence))
            {
                Try([sequence], () => Leave(sequence, FinishReason.Cancelled));
            }
        }
    }

    /// <summary>Reads one piece of a prompt, or several short ones of no more tokens in all, first come first served.</summary>
    /// <returns>Whether there was any.</returns>
    internal bool Prefill()
    {
        long began = Stopwatch.GetTimestamp();
        int room = decoder.PrefillLength;
        foreach (var sequence in _sequences.Where(s => s.Paused is null && s.NextLength > 1).ToArray())
        {
            int length = sequence.NextLength;
            if (length > room)
            {
                break;
            }

            room -= length;
            Try([sequence], () =>
            {
                decoder.Prefill(sequence.Slot, sequence.Next);
                sequence.Advance([]);
                Done = Done with { Prefills = Done.Prefills + 1, PromptTokens = Done.PromptTokens + length };
                LeaveIfDone(sequence);
            });
            Choose([.. _sequences.Where(s => s == sequence && s.IsRead)]);
        }

        return Worked(began, room < decoder.PrefillLength);
    }

    /// <summary>Reads one token in every sequence that is ready.</summary>
    /// <returns>Whether there was any.</returns>
    internal bool Step()
    {
        long began = Stopwatch.GetTimestamp();
        Sequence[] ready = [.. _sequences.Where(s => s.Paused is null && s.NextLength == 1)];
        if (ready.Length == 0)
        {
            return false;
        }

        for (int i = 0; i < ready.Length; i++)
        {
            (_slots[i], _ids[i]) = (ready[i].Slot, ready[i].Next[0]);
        }

        int prompts = ready.Count(s => s.IsPrompt);
        Try(ready, () =>
        {
            decoder.Step(_slots.AsSpan(0, ready.Length), _ids.AsSpan(0, ready.Length));
            Done = Done with { Steps = Done.Steps + 1, PromptTokens = Done.PromptTokens + prompts };
        });
        foreach (var sequence in ready.Where(_sequences.Contains))
        {
            Try([sequence], () =>
            {
                sequence.Advance(LogitsFor(sequence));
                LeaveIfDone(sequence);
            });
        }

        Choose([.. ready.Where(s => s.IsRead && _sequences.Contains(s))]);
        return Worked(began, true);
    }

    /// <summary>Fails all of them, without a call of the decoder.</summary>
    internal void Fail(Exception exception)
    {
        _sequences.ForEach(s => s.Fail(exception));
        Done = Done with { Failed = Done.Failed + _sequences.Count };
        _sequences.Clear();
    }

    private void Choose(Sequence[] some)
    {
        if (some.Length == 0)
        {
            return;
        }

        for (int i = 0; i < some.Length; i++)
        {
            (_slots[i], _samplers[i]) = (some[i].Slot, some[i].Sampler);
        }

        try
        {
            decoder.Choose(_slots.AsSpan(0, some.Length), _samplers.AsSpan(0, some.Length), _ids.AsSpan(0, some.Length));
        }
        catch (Exception e)
        {
            // One sequence's logits are no numbers: asked alone, the others' draws are what they were.
            Action<Sequence> next = some.Length > 1 ? s => Choose([s]) : s => Remove(s, e);
            Array.ForEach(some, next);
            return;
        }

        for (int i = 0; i < some.Length; i++)
        {
            var (sequence, id) = (some[i], _ids[i]);
            Try([sequence], () =>
            {
                Done = Done with { NewTokens = Done.NewTokens + 1 };
                if (sequence.Take(id, LogitsFor(sequence)) is { } reason)
                {
                    Leave(sequence, reason);
                }
            });
        }
    }

    private ReadOnlySpan<float> LogitsFor(Sequence sequence) => sequence.Request.LogProbabilities is null ? [] : decoder.Logits(sequence.Slot);

    private bool HasReader(Sequence sequence)
    {
        int untaken = sequence.Running.Untaken;
        if (!sequence.Running.IsFull)
        {
            sequence.Paused = null;
            return true;
        }

        if (sequence.Paused?.Untaken != untaken)
        {
            sequence.Paused = (Stopwatch.GetTimestamp(), untaken);
        }

        var left = patience - Stopwatch.GetElapsedTime(sequence.Paused!.Value.Since);
        if (left <= TimeSpan.Zero)
        {
            return false;
        }

        Quiet = Quiet == Timeout.InfiniteTimeSpan || left < Quiet ? left : Quiet;
        return true;
    }

    private void LeaveIfDone(Sequence sequence)
    {
        if (sequence.IsDone)
        {
            Leave(sequence, FinishReason.Length);
        }
    }

    private void Leave(Sequence sequence, FinishReason reason)
    {
        var state = sequence.Request.KeepState ? sequence.State(fingerprint!, decoder.Save(sequence.Slot)) : null;
        Free(sequence);
        sequence.End(reason, state);
        Done = reason == FinishReason.Cancelled ? Done with { Cancelled = Done.Cancelled + 1 } : Done with { Finished = Done.Finished + 1 };
    }

    // What fails for some sequences ends them, and the others go on; unless the decoder cannot even empty their slots.
    private void Try(IReadOnlyList<Sequence> concerned, Action work)
    {
        try
        {
            work();
        }
        catch (Exception e)
        {
            foreach (var sequence in concerned.Where(_sequences.Contains))
            {
                Remove(sequence, e);
            }
        }
    }

    private void Remove(Sequence sequence, Exception exception)
    {
        Done = Done with { Failed = Done.Failed + 1 };
        sequence.Fail(exception);
        _sequences.Remove(sequence);
        Free(sequence);
    }

    // If the slot cannot be emptied, a sequence that was about to end is still here, and fails.
    private void Free(Sequence sequence)
    {
        decoder.Clear(sequence.Slot);
        _sequences.Remove(sequence);
        _free.Push(sequence.Slot);
    }

    private bool Worked(long began, bool any)
    {
        Done = any ? Done with { Busy = Done.Busy + Stopwatch.GetElapsedTime(began) } : Done;
        return any;
    }
}
