using System.Buffers;

namespace T2R.Tokenization;

/// <summary>Finds tokens that a text spells: the leftmost, of those that begin together the longest. At each place it costs a step for each character that goes on with some token.</summary>
internal sealed class TokenFinder
{
    private readonly SearchValues<char> _first;

    // A tree of the tokens' characters: where each leads from a node, and which token ends at a node. The root is 0.
    private readonly Dictionary<(int Node, char Next), int> _next = [];
    private readonly List<int?> _ends = [null];

    /// <param name="tokens">Ids by what is found; nothing empty. Of several with the same text the first counts.</param>
    public TokenFinder(IEnumerable<KeyValuePair<string, int>> tokens)
    {
        var first = new HashSet<char>();
        foreach ((string token, int id) in tokens)
        {
            first.Add(token[0]);
            int node = 0;
            foreach (char c in token)
            {
                if (!_next.TryGetValue((node, c), out int next))
                {
                    next = _ends.Count;
                    _next.Add((node, c), next);
                    _ends.Add(null);
                }

                node = next;
            }

            _ends[node] ??= id;
        }

        _first = SearchValues.Create([.. first]);
    }

    /// <summary>Finds the next one.</summary>
    /// <param name="text">The text.</param>
    /// <param name="start">Where to look from.</param>
    /// <param name="at">Where it begins.</param>
    /// <param name="length">How long it is, in UTF-16 units.</param>
    /// <returns>Its id, or null if there is none.</returns>
    public int? Find(ReadOnlySpan<char> text, int start, out int at, out int length)
    {
        for (at = start; at < text.Length; at++)
        {
            int next = text[at..].IndexOfAny(_first);
            if (next < 0)
            {
                break;
            }

            at += next;
            if (Longest(text[at..], out length) is { } id)
            {
                return id;
            }
        }

        (at, length) = (text.Length, 0);
        return null;
    }

    private int? Longest(ReadOnlySpan<char> text, out int length)
    {
        int? longest = null;
        length = 0;
        for (int i = 0, node = 0; i < text.Length && _next.TryGetValue((node, text[i]), out node); i++)
        {
            if (_ends[node] is { } id)
            {
                (longest, length) = (id, i + 1);
            }
        }

        return longest;
    }
}
