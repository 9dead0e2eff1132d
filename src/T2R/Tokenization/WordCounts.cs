using System.Buffers;
using System.Collections;
using System.Runtime.InteropServices;

namespace T2R.Tokenization;

/// <summary>
/// How often each word of a text occurs. A word lies between two borders that no piece may cross: before a space that follows something else, and at a
/// line feed, which belongs to no word.
/// </summary>
internal sealed class WordCounts : IEnumerable<KeyValuePair<string, long>>
{
    private readonly Dictionary<string, long> _counts = [];
    private readonly Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    public WordCounts() => _lookup = _counts.GetAlternateLookup<ReadOnlySpan<char>>();

    public void Add(string document)
    {
        if (document.Length == 0)
        {
            return;
        }

        char[] buffer = ArrayPool<char>.Shared.Rent(document.Length + 1);
        Span<char> text = buffer.AsSpan(0, document.Length + 1);
        text[0] = SentencePieceNormalizer.EscapedSpace;
        document.AsSpan().Replace(text[1..], ' ', SentencePieceNormalizer.EscapedSpace);
        SentencePieceNormalizer.ReplaceLoneSurrogates(text);
        int start = 0;
        for (int i = 1; i < text.Length; i++)
        {
            bool lineFeed = text[i] == '\n';
            if (lineFeed || (text[i] == SentencePieceNormalizer.EscapedSpace && text[i - 1] != SentencePieceNormalizer.EscapedSpace))
            {
                Count(text[start..i]);
                start = lineFeed ? i + 1 : i;
            }
        }

        Count(text[start..]);
        ArrayPool<char>.Shared.Return(buffer);
    }

    public IEnumerator<KeyValuePair<string, long>> GetEnumerator() => _counts.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private void Count(ReadOnlySpan<char> word)
    {
        if (!word.IsEmpty)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_lookup, word, out _)++;
        }
    }
}
