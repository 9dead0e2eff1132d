using System.Buffers;

namespace T2R.Tokenization;

/// <summary>Finds tokens that a text spells: the leftmost, of those that begin together the longest.</summary>
internal sealed class TokenFinder
{
    private readonly SearchValues<char> _first;
    private readonly Dictionary<char, KeyValuePair<string, int>[]> _byFirst;

    /// <param name="tokens">Ids by what is found; nothing empty.</param>
    public TokenFinder(IEnumerable<KeyValuePair<string, int>> tokens)
    {
        _byFirst = tokens.GroupBy(t => t.Key[0]).ToDictionary(g => g.Key, g => g.OrderByDescending(t => t.Key.Length).ToArray());
        _first = SearchValues.Create([.. _byFirst.Keys]);
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
            foreach ((string token, int id) in _byFirst[text[at]])
            {
                if (text[at..].StartsWith(token, StringComparison.Ordinal))
                {
                    length = token.Length;
                    return id;
                }
            }
        }

        (at, length) = (text.Length, 0);
        return null;
    }
}
