using System.Collections.Concurrent;

namespace T2R.Tokenization;

/// <summary>Remembers how short stretches of text encode; shared by threads. Once full it keeps what it has: frequent words come early.</summary>
internal sealed class WordCache
{
    private const int MaximumEntries = 1 << 16;
    private const int MaximumLength = 32;
    private readonly ConcurrentDictionary<string, int[]> _words = new();
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private int _count;

    public WordCache() => _lookup = _words.GetAlternateLookup<ReadOnlySpan<char>>();

    public bool TryGet(ReadOnlySpan<char> word, out ReadOnlySpan<int> ids)
    {
        if (word.Length <= MaximumLength && _lookup.TryGetValue(word, out int[]? found))
        {
            ids = found;
            return true;
        }

        ids = default;
        return false;
    }

    public void Add(ReadOnlySpan<char> word, ReadOnlySpan<int> ids)
    {
        if (word.Length <= MaximumLength && _count < MaximumEntries && _lookup.TryAdd(word, ids.ToArray()))
        {
            Interlocked.Increment(ref _count);
        }
    }
}
