using System.Text;

namespace T2R.Tokenization;

/// <summary>
/// A model's pieces, laid out for merging without strings. A symbol is the id of a piece, or, from the number of pieces on, a character that occurs
/// inside pieces without being one. Text that no merge may touch is a negative symbol.
/// </summary>
internal sealed class BpeVocabulary
{
    /// <summary>The symbol of a character that occurs in no piece.</summary>
    public const int UnknownSymbol = -1;

    private readonly SentencePiece[] _pieces;
    private readonly Dictionary<int, int> _characters = [];
    private readonly Dictionary<long, int> _merges = [];
    private readonly int[] _ranks;
    private int _symbols;

    public BpeVocabulary(SentencePieceModel model)
    {
        _pieces = [.. model.Pieces];
        UserDefined = new UserDefinedPieces(_pieces);
        Adjacency = new AdjacencyFilter(_pieces.Where(Mergeable).Select(piece => piece.Text));
        _ranks = RankByScore(_pieces);
        UnknownId = Enumerable.Range(0, _pieces.Length).First(id => _pieces[id].Type == SentencePieceType.Unknown);
        if (model.Trainer.ByteFallback)
        {
            ByteIds = new int[256];
            for (int id = 0; id < _pieces.Length; id++)
            {
                if (_pieces[id].Type == SentencePieceType.Byte)
                {
                    ByteIds[BytePiece.Value(_pieces[id].Text)] = id;
                }
            }
        }

        AddCharacters();
        AddMerges();
    }

    /// <summary>Which neighbouring characters some piece joins.</summary>
    public AdjacencyFilter Adjacency { get; }

    /// <summary>Pieces that are found before any merging.</summary>
    public UserDefinedPieces UserDefined { get; }

    /// <summary>The id of the unknown piece.</summary>
    public int UnknownId { get; }

    /// <summary>The id of each byte's piece; null without byte fallback.</summary>
    public int[]? ByteIds { get; }

    /// <summary>Whether a piece takes part in merging only to be taken apart again.</summary>
    public bool HasUnused => _pieces.Any(piece => piece.Type == SentencePieceType.Unused);

    /// <summary>The symbol of a user-defined piece, which no merge touches.</summary>
    public static int Frozen(int id) => ~(id + 1);

    /// <summary>The symbol of a character.</summary>
    public int Symbol(Rune character) => _characters.GetValueOrDefault(character.Value, UnknownSymbol);

    /// <summary>What two neighbouring symbols merge to, or −1.</summary>
    public int Merge(int left, int right) =>
        (left | right) < 0 ? -1 : _merges.GetValueOrDefault(Pair(left, right), -1);

    /// <summary>The place of a merged symbol in the order of merges: higher scores first, equal scores equal.</summary>
    public int Rank(int symbol) => _ranks[symbol];

    public bool IsUnused(int symbol) => (uint)symbol < (uint)_pieces.Length && _pieces[symbol].Type == SentencePieceType.Unused;

    /// <summary>The id that a symbol is written as, or −1 for text that has none.</summary>
    public int Id(int symbol) => symbol < 0 ? ~symbol - 1 : symbol < _pieces.Length ? symbol : -1;

    private static bool Mergeable(SentencePiece piece) =>
        piece.Type is SentencePieceType.Normal or SentencePieceType.UserDefined or SentencePieceType.Unused;

    private static int[] RankByScore(SentencePiece[] pieces)
    {
        float[] scores = pieces.Select(piece => piece.Score).Distinct().OrderDescending().ToArray();
        Dictionary<float, int> rank = Enumerable.Range(0, scores.Length).ToDictionary(i => scores[i]);
        return pieces.Select(piece => rank[piece.Score]).ToArray();
    }

    // One number is hashed and compared quicker than two.
    private long Pair(int left, int right) => ((long)left * _symbols) + right;

    private void AddCharacters()
    {
        for (int id = 0; id < _pieces.Length; id++)
        {
            string text = _pieces[id].Text;
            if (Mergeable(_pieces[id]) && Rune.TryGetRuneAt(text, 0, out Rune rune) && rune.Utf16SequenceLength == text.Length)
            {
                _characters[rune.Value] = id;
            }
        }

        int next = _pieces.Length;
        foreach (SentencePiece piece in _pieces.Where(Mergeable))
        {
            foreach (Rune rune in piece.Text.EnumerateRunes())
            {
                next += _characters.TryAdd(rune.Value, next) ? 1 : 0;
            }
        }

        _symbols = next;
    }

    private void AddMerges()
    {
        Dictionary<string, int> symbols = [];
        for (int id = 0; id < _pieces.Length; id++)
        {
            if (Mergeable(_pieces[id]))
            {
                symbols[_pieces[id].Text] = id;
            }
        }

        foreach ((int character, int symbol) in _characters)
        {
            symbols[new Rune(character).ToString()] = symbol;
        }

        var lookup = symbols.GetAlternateLookup<ReadOnlySpan<char>>();
        for (int id = 0; id < _pieces.Length; id++)
        {
            ReadOnlySpan<char> text = _pieces[id].Text;
            for (int cut = 1; cut < text.Length && Mergeable(_pieces[id]); cut++)
            {
                if (lookup.TryGetValue(text[..cut], out int left) && lookup.TryGetValue(text[cut..], out int right))
                {
                    _merges[Pair(left, right)] = id;
                }
            }
        }
    }
}
