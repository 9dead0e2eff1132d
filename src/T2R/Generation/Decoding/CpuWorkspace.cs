using T2R.Mixers;
using T2R.Models;
using T2R.Ops.GatedSlot;
using T2R.Ops.Rows;

namespace T2R.Generation.Decoding;

/// <summary>What the blocks of a <see cref="CpuDecoder"/> share: the rows of the tokens that are being read, one a token, and the slots that these belong to.</summary>
internal sealed class CpuWorkspace : IDisposable
{
    /// <summary>The most tokens that pass the blocks together.</summary>
    internal const int Rows = 64;

    private readonly Dictionary<CpuSizes, ThreadLocal<CpuRecurrence>> _recurrences = [];
    private readonly (int Slot, int First, int Count)[] _sequences = new (int, int, int)[Rows];

    internal CpuWorkspace(ModelConfig config)
    {
        Stream = new RowBuffer(Rows, config.HiddenSize);
        Normed = new RowBuffer(Rows, config.HiddenSize);
        Products = new RowBuffer(Rows, config.Mixers.Cast<GatedSlotAttentionConfig>().Max(m => m.QuerySize + (2 * m.KeyValueSize) + m.SlotSize));
        Mixed = new RowBuffer(Rows, config.Mixers.Max(m => m.QuerySize));
        Wide = new RowBuffer(Rows, 2 * config.IntermediateSize);
    }

    /// <summary>Runs the loops.</summary>
    internal SharedLoop Loop { get; } = new();

    /// <summary>The residual stream, <c>[D]</c>.</summary>
    internal RowBuffer Stream { get; }

    /// <summary>A norm of it, <c>[D]</c>.</summary>
    internal RowBuffer Normed { get; }

    /// <summary>q, k, v and f side by side.</summary>
    internal RowBuffer Products { get; }

    /// <summary>What the slots give, all heads, <c>[H·d]</c>.</summary>
    internal RowBuffer Mixed { get; }

    /// <summary>Gate and up projections side by side, <c>[2·I]</c>.</summary>
    internal RowBuffer Wide { get; }

    /// <summary>Tokens that are being read.</summary>
    internal int Count { get; private set; }

    /// <summary>Which slots they belong to, each with its first row and how many it has.</summary>
    internal ReadOnlySpan<(int Slot, int First, int Count)> Sequences => _sequences.AsSpan(0, SequenceCount);

    /// <summary>How many slots they belong to.</summary>
    internal int SequenceCount { get; private set; }

    /// <summary>Begins anew, without tokens.</summary>
    internal void Clear() => (Count, SequenceCount) = (0, 0);

    /// <summary>Takes tokens of a slot that has none yet.</summary>
    /// <param name="slot">Which.</param>
    /// <param name="count">How many.</param>
    /// <returns>The row of the first.</returns>
    internal int Add(int slot, int count)
    {
        int first = Count;
        _sequences[SequenceCount++] = (slot, first, count);
        Count += count;
        return first;
    }

    /// <summary>A recurrence of given sizes for each thread.</summary>
    /// <param name="sizes">Of a layer.</param>
    internal ThreadLocal<CpuRecurrence> Recurrence(CpuSizes sizes)
    {
        if (!_recurrences.TryGetValue(sizes, out var recurrence))
        {
            _recurrences.Add(sizes, recurrence = new ThreadLocal<CpuRecurrence>(() => new CpuRecurrence(sizes)));
        }

        return recurrence;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Loop.Dispose();
        foreach (var recurrence in _recurrences.Values)
        {
            recurrence.Dispose();
        }
    }
}
