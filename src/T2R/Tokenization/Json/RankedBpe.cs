using System.Runtime.InteropServices;
using System.Text;

namespace T2R.Tokenization.Json;

/// <summary>
/// Byte-pair encoding by ranked merges, as the Rust crate tokenizers does it (https://github.com/huggingface/tokenizers): from a pre-token to ids. Safe for several threads.
/// </summary>
internal sealed class RankedBpe
{
    [ThreadStatic]
    private static RankedMerger? t_merger;

    private readonly BpeModel _model;
    private readonly WordCache _cache = new();
    private readonly Dictionary<int, int> _characters = [];
    private readonly int[]? _bytes;
    private readonly bool _byteLevel;
    private readonly AdjacencyFilter? _adjacency;
    private readonly Dictionary<string, int> _whole = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _wholeOf;

    /// <param name="model">The vocabulary and its merges.</param>
    /// <param name="byteLevel">Whether it is merged from bytes.</param>
    public RankedBpe(BpeModel model, bool byteLevel)
    {
        (_model, _byteLevel) = (model, byteLevel);
        if (byteLevel || model.ByteFallback)
        {
            _bytes = [.. Enumerable.Range(0, 256).Select(b => model.Vocabulary.GetValueOrDefault(byteLevel ? ByteAlphabet.Character(b).ToString() : BytePiece.Spell((byte)b), -1))];
        }

        if (!byteLevel)
        {
            _adjacency = Adjacency();
            foreach ((string token, int id) in model.Vocabulary)
            {
                if (Rune.TryGetRuneAt(token, 0, out Rune rune) && rune.Utf16SequenceLength == token.Length)
                {
                    _characters.Add(rune.Value, id);
                }
            }
        }

        foreach ((string token, int id) in model.IgnoresMerges ? model.Vocabulary : [])
        {
            if ((byteLevel ? ByteAlphabet.Text(token) : token) is { } text)
            {
                _whole.TryAdd(text, id);
            }
        }

        _wholeOf = _whole.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Appends the ids of a pre-token.</summary>
    public void AppendIds(ReadOnlySpan<char> preToken, List<int> ids)
    {
        if (_whole.Count > 0 && _wholeOf.TryGetValue(preToken, out int whole))
        {
            ids.Add(whole);
            return;
        }

        int begin = ids.Count;
        while (!preToken.IsEmpty)
        {
            ReadOnlySpan<char> part = _adjacency is null ? preToken : preToken[.._adjacency.FirstCut(preToken)];
            preToken = preToken[part.Length..];
            int count = ids.Count;
            if (_cache.TryGet(part, out ReadOnlySpan<int> known))
            {
                ids.AddRange(known);
            }
            else
            {
                Merge(part, ids, null);
                _cache.Add(part, CollectionsMarshal.AsSpan(ids)[count..]);
            }

            if (_model.FusesUnknown && count > begin && ids.Count > count && ids[count] == _model.UnknownId && ids[count - 1] == _model.UnknownId)
            {
                ids.RemoveAt(count);
            }
        }
    }

    /// <summary>Appends the ids of a pre-token with where each ends in it; of a character spelled in several tokens, the last one covers it.</summary>
    public void AppendTokens(ReadOnlySpan<char> preToken, List<int> ids, List<int> ends)
    {
        if (_whole.Count > 0 && _wholeOf.TryGetValue(preToken, out int whole))
        {
            ids.Add(whole);
            ends.Add(preToken.Length);
            return;
        }

        Merge(preToken, ids, ends);
    }

    private void Merge(ReadOnlySpan<char> preToken, List<int> ids, List<int>? ends)
    {
        RankedMerger merger = t_merger ??= new RankedMerger();
        merger.Clear();
        Span<byte> bytes = stackalloc byte[4];
        int unknownEnd = -1;
        for (int at = 0; at < preToken.Length;)
        {
            Rune.DecodeFromUtf16(preToken[at..], out Rune rune, out int length);
            if (!_byteLevel && _characters.TryGetValue(rune.Value, out int id))
            {
                AddUnknown(merger, ref unknownEnd);
                merger.Add(id, at + length);
            }
            else if (_bytes is not null)
            {
                int count = rune.EncodeToUtf8(bytes);
                for (int i = 0; i < count; i++)
                {
                    id = _bytes[bytes[i]];
                    int end = i + 1 < count ? at : at + length;
                    if (id < 0)
                    {
                        Unknown(merger, end, ref unknownEnd);
                        continue;
                    }

                    AddUnknown(merger, ref unknownEnd);
                    merger.Add(id, end);
                }
            }
            else
            {
                Unknown(merger, at + length, ref unknownEnd);
            }

            at += length;
        }

        AddUnknown(merger, ref unknownEnd);
        merger.Merge(_model.Merges, ids, ends);
    }

    private void Unknown(RankedMerger merger, int end, ref int unknownEnd)
    {
        if (!_model.FusesUnknown)
        {
            AddUnknown(merger, ref unknownEnd);
        }

        unknownEnd = end;
    }

    private void AddUnknown(RankedMerger merger, ref int unknownEnd)
    {
        if (unknownEnd >= 0)
        {
            merger.Add(_model.UnknownId!.Value, unknownEnd);
            unknownEnd = -1;
        }
    }

    // A merge of tokens that are no text may stand anywhere, so then nothing is cut.
    private AdjacencyFilter? Adjacency()
    {
        var tokens = _model.Vocabulary.ToDictionary(t => t.Value, t => t.Key);
        HashSet<int> others = [.. _model.UnknownId is { } unknown ? [unknown] : Array.Empty<int>()];
        if (_model.ByteFallback)
        {
            others.UnionWith(_bytes!);
        }

        return _model.Merges.Keys.Any(pair => others.Contains(pair.Left) || others.Contains(pair.Right)) ? null : new AdjacencyFilter(_model.Merges.Values.Select(m => tokens[m.Id]));
    }
}
