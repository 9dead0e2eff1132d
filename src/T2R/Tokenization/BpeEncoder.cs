using System.Runtime.InteropServices;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace T2R.Tokenization;

/// <summary>From normalized text to ids: cuts where no merge can cross, remembers short stretches, spells in bytes what has no piece.</summary>
internal sealed class BpeEncoder
{
    [ThreadStatic]
    private static BpeMerger? t_merger;

    private readonly BpeVocabulary _vocabulary;
    private readonly WordCache? _cache;

    public BpeEncoder(BpeVocabulary vocabulary)
    {
        _vocabulary = vocabulary;

        // How an unused piece is taken apart depends on the whole text, so then nothing may be encoded apart.
        _cache = vocabulary.HasUnused ? null : new WordCache();
    }

    /// <summary>Appends the ids of a normalized text.</summary>
    public void AppendIds(ReadOnlySpan<char> text, List<int> ids)
    {
        if (_cache is null)
        {
            AppendWhole(text, ids);
            return;
        }

        int begin = ids.Count;
        while (!text.IsEmpty)
        {
            ReadOnlySpan<char> word = text[.._vocabulary.Adjacency.FirstCut(text)];
            text = text[word.Length..];
            int count = ids.Count;
            if (_cache.TryGet(word, out ReadOnlySpan<int> known))
            {
                bool joins = count > begin && ContinuesUnknown(ids, count, known[0]);
                ids.AddRange(joins ? known[1..] : known);
                continue;
            }

            AppendWhole(word, ids);
            _cache.Add(word, CollectionsMarshal.AsSpan(ids)[count..]);
            if (count > begin && ContinuesUnknown(ids, count, ids[count]))
            {
                ids.RemoveAt(count);
            }
        }
    }

    /// <summary>Appends the ids of a normalized text that is merged in one piece: what <see cref="AppendIds"/> is a faster form of.</summary>
    public void AppendWhole(ReadOnlySpan<char> text, List<int> ids)
    {
        Span<byte> bytes = stackalloc byte[4];
        int begin = ids.Count;
        foreach ((int symbol, int start, int length) in Merge(text))
        {
            int id = _vocabulary.Id(symbol);
            if (id >= 0)
            {
                ids.Add(id);
            }
            else if (_vocabulary.ByteIds is { } byteIds)
            {
                foreach (byte value in bytes[..Encoding.UTF8.GetBytes(text.Slice(start, length), bytes)])
                {
                    ids.Add(byteIds[value]);
                }
            }
            else if (ids.Count == begin || !ContinuesUnknown(ids, ids.Count, _vocabulary.UnknownId))
            {
                ids.Add(_vocabulary.UnknownId);
            }
        }
    }

    /// <summary>The tokens of a normalized text with where they lie in it; of a character spelled in bytes, the last byte covers it.</summary>
    public List<EncodedToken> Tokens(ReadOnlySpan<char> text, IReadOnlyList<SentencePiece> pieces)
    {
        var tokens = new List<EncodedToken>();
        Span<byte> bytes = stackalloc byte[4];
        foreach ((int symbol, int start, int length) in Merge(text))
        {
            int id = _vocabulary.Id(symbol);
            if (id >= 0)
            {
                tokens.Add(new EncodedToken(id, pieces[id].Text, start..(start + length)));
            }
            else if (_vocabulary.ByteIds is { } byteIds)
            {
                int count = Encoding.UTF8.GetBytes(text.Slice(start, length), bytes);
                for (int i = 0; i < count; i++)
                {
                    id = byteIds[bytes[i]];
                    tokens.Add(new EncodedToken(id, pieces[id].Text, start..(i + 1 < count ? start : start + length)));
                }
            }
            else
            {
                // A run of characters that have no piece is one unknown token.
                int first = start;
                if (tokens.Count > 0 && tokens[^1].Id == _vocabulary.UnknownId)
                {
                    first = tokens[^1].Offset.Start.Value;
                    tokens.RemoveAt(tokens.Count - 1);
                }

                int end = start + length;
                tokens.Add(new EncodedToken(_vocabulary.UnknownId, text[first..end].ToString(), first..end));
            }
        }

        return tokens;
    }

    /// <summary>Whether an unknown id would follow an unknown id, which SentencePiece writes as one.</summary>
    private bool ContinuesUnknown(List<int> ids, int count, int id) => id == _vocabulary.UnknownId && ids[count - 1] == id;

    private ReadOnlySpan<(int Symbol, int Start, int Length)> Merge(ReadOnlySpan<char> text) =>
        (t_merger ??= new BpeMerger()).Encode(_vocabulary, text);
}
