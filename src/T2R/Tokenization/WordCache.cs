using System.Runtime.InteropServices;

namespace T2R.Tokenization;

/// <summary>
/// Remembers how short stretches of text encode; shared by threads, which neither lock nor wait: a place in the table is filled once and never changes. Once full it keeps
/// what it has: frequent words come early.
/// </summary>
internal sealed class WordCache
{
    private const int MaximumLength = 32;

    // Half of the places are left free, so that a word is found, or known to be absent, after a few.
    private const int Places = 1 << 19;
    private const int MaximumEntries = Places / 2;
    private const int Tries = 8;

    private readonly Entry?[] _table = new Entry?[Places + Tries];
    private int _count;

    public bool TryGet(ReadOnlySpan<char> word, out ReadOnlySpan<int> ids)
    {
        if (word.Length <= MaximumLength)
        {
            ulong hash = Hash(word);
            foreach (Entry? entry in _table.AsSpan((int)(hash % Places), Tries))
            {
                if (entry is null)
                {
                    break;
                }

                if (entry.Hash == hash && word.SequenceEqual(entry.Word))
                {
                    ids = entry.Ids;
                    return true;
                }
            }
        }

        ids = default;
        return false;
    }

    public void Add(ReadOnlySpan<char> word, ReadOnlySpan<int> ids)
    {
        if (word.Length > MaximumLength || _count >= MaximumEntries)
        {
            return;
        }

        var entry = new Entry(Hash(word), word.ToArray(), ids.ToArray());
        foreach (ref Entry? place in _table.AsSpan((int)(entry.Hash % Places), Tries))
        {
            // Another thread may have come first, perhaps with the same word: found twice, it is used once.
            if (place is null && Interlocked.CompareExchange(ref place, entry, null) is null)
            {
                Interlocked.Increment(ref _count);
                return;
            }
        }
    }

    // Eight bytes at a time, mixed as MurmurHash's finalizer mixes (Appleby).
    private static ulong Hash(ReadOnlySpan<char> word)
    {
        ulong hash = (ulong)word.Length;
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(word);
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            hash = Mixed(hash ^ MemoryMarshal.Read<ulong>(bytes));
        }

        ulong rest = 0;
        foreach (char c in MemoryMarshal.Cast<byte, char>(bytes))
        {
            rest = (rest << 16) | c;
        }

        return Mixed(hash ^ rest);
    }

    private static ulong Mixed(ulong value)
    {
        value *= 0xFF51AFD7ED558CCD;
        return value ^ (value >> 33);
    }

    private sealed record Entry(ulong Hash, char[] Word, int[] Ids);
}
