using System.Runtime.InteropServices;
using System.Text;

namespace T2R.Tokenization;

/// <summary>
/// Byte-pair encoding of one stretch of text, as SentencePiece orders it: of all neighbours that make a piece, the highest score merges first, of equal
/// scores the leftmost. A linked list and a priority queue make it O(n log n); a short text is searched anew for each merge, which is quicker there. The arrays are kept
/// for the next text; one object serves one thread.
/// </summary>
internal sealed class BpeMerger
{
    private const int ShortSymbols = 24;

    private readonly PriorityQueue<int, long> _queue = new();
    private readonly Dictionary<int, (int Left, int LeftLength, int Right)> _halves = [];
    private readonly List<(int Symbol, int Start, int Length)> _output = [];
    private int[] _symbols = [];
    private int[] _starts = [];
    private int[] _previous = [];
    private int[] _next = [];
    private int[] _merged = [];
    private bool _isShort;

    /// <summary>Encodes one text.</summary>
    /// <param name="vocabulary">The pieces.</param>
    /// <param name="text">Normalized text without lone surrogates, of any length.</param>
    /// <returns>In order, each symbol with where it starts and how long it is in UTF-16 units; valid until the next call.</returns>
    public ReadOnlySpan<(int Symbol, int Start, int Length)> Encode(BpeVocabulary vocabulary, ReadOnlySpan<char> text)
    {
        _output.Clear();
        _halves.Clear();
        int count = Split(vocabulary, text);
        _isShort = count <= ShortSymbols;
        for (int i = 0; i + 1 < count; i++)
        {
            Propose(vocabulary, i, i + 1);
        }

        for (int left = TakeBest(vocabulary, count); left >= 0; left = TakeBest(vocabulary, count))
        {
            int right = _next[left];
            _symbols[left] = _merged[left];
            _merged[left] = _merged[right] = -1;
            _next[left] = _next[right];
            if (_next[right] >= 0)
            {
                _previous[_next[right]] = left;
                Propose(vocabulary, left, _next[right]);
            }

            if (_previous[left] >= 0)
            {
                Propose(vocabulary, _previous[left], left);
            }
        }

        for (int i = 0; i >= 0 && count > 0; i = _next[i])
        {
            Emit(vocabulary, _symbols[i], _starts[i], (_next[i] < 0 ? text.Length : _starts[_next[i]]) - _starts[i]);
        }

        return CollectionsMarshal.AsSpan(_output);
    }

    // The left symbol of the pair that merges next, or −1.
    private int TakeBest(BpeVocabulary vocabulary, int count)
    {
        if (_isShort)
        {
            var (best, bestRank) = (-1, int.MaxValue);
            for (int i = count > 0 ? 0 : -1; i >= 0; i = _next[i])
            {
                if (_merged[i] >= 0 && vocabulary.Rank(_merged[i]) is var rank && rank < bestRank)
                {
                    (best, bestRank) = (i, rank);
                }
            }

            return best;
        }

        while (_queue.TryDequeue(out int left, out long priority))
        {
            // Stale unless the pair that stands here now has the rank it was queued with.
            if (_merged[left] >= 0 && vocabulary.Rank(_merged[left]) == (int)(priority >> 32))
            {
                return left;
            }
        }

        return -1;
    }

    private int Split(BpeVocabulary vocabulary, ReadOnlySpan<char> text)
    {
        Grow(text.Length);
        int count = 0;
        for (int at = 0; at < text.Length; count++)
        {
            _starts[count] = at;
            _previous[count] = count - 1;
            _next[count] = count + 1;
            _merged[count] = -1;
            int length = vocabulary.UserDefined.Match(text[at..], out int id);
            if (length > 0)
            {
                _symbols[count] = BpeVocabulary.Frozen(id);
            }
            else
            {
                Rune.DecodeFromUtf16(text[at..], out Rune rune, out length);
                _symbols[count] = vocabulary.Symbol(rune);
            }

            at += length;
        }

        if (count > 0)
        {
            _next[count - 1] = -1;
        }

        return count;
    }

    private void Propose(BpeVocabulary vocabulary, int left, int right)
    {
        int merged = vocabulary.Merge(_symbols[left], _symbols[right]);
        _merged[left] = merged;
        if (merged < 0)
        {
            return;
        }

        if (!_isShort)
        {
            _queue.Enqueue(left, ((long)vocabulary.Rank(merged) << 32) | (uint)left);
        }

        if (vocabulary.IsUnused(merged))
        {
            _halves[merged] = (_symbols[left], _starts[right] - _starts[left], _symbols[right]);
        }
    }

    /// <summary>An unused piece is taken apart into what it was last proposed from, wherever in the text that was: so does SentencePiece.</summary>
    private void Emit(BpeVocabulary vocabulary, int symbol, int start, int length)
    {
        if (vocabulary.IsUnused(symbol) && _halves.TryGetValue(symbol, out (int Left, int LeftLength, int Right) halves))
        {
            Emit(vocabulary, halves.Left, start, halves.LeftLength);
            Emit(vocabulary, halves.Right, start + halves.LeftLength, length - halves.LeftLength);
            return;
        }

        _output.Add((symbol, start, length));
    }

    private void Grow(int length)
    {
        if (_symbols.Length < length)
        {
            int size = Math.Max(64, length);
            _symbols = new int[size];
            _starts = new int[size];
            _previous = new int[size];
            _next = new int[size];
            _merged = new int[size];
        }
    }
}
