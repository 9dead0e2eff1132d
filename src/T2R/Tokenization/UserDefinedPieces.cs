namespace T2R.Tokenization;

/// <summary>Finds the longest user-defined piece at the start of a text.</summary>
internal sealed class UserDefinedPieces
{
    private readonly Dictionary<char, (string Text, int Id)[]> _byFirst;

    public UserDefinedPieces(IReadOnlyList<SentencePiece> pieces) =>
        _byFirst = Enumerable.Range(0, pieces.Count)
            .Where(id => pieces[id].Type == SentencePieceType.UserDefined)
            .Select(id => (pieces[id].Text, Id: id))
            .GroupBy(piece => piece.Text[0])
            .ToDictionary(group => group.Key, group => group.OrderByDescending(piece => piece.Text.Length).ToArray());

    /// <returns>The length of the piece in UTF-16 units, 0 when there is none.</returns>
    public int Match(ReadOnlySpan<char> text, out int id)
    {
        if (_byFirst.Count > 0 && _byFirst.TryGetValue(text[0], out (string Text, int Id)[]? candidates))
        {
            foreach ((string piece, int pieceId) in candidates)
            {
                if (text.StartsWith(piece, StringComparison.Ordinal))
                {
                    id = pieceId;
                    return piece.Length;
                }
            }
        }

        id = -1;
        return 0;
    }
}
