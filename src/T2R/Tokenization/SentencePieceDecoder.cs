namespace T2R.Tokenization;

/// <summary>Decodes as SentencePiece does: one space that leads is the dummy prefix, and each byte that is in no character is U+FFFD.</summary>
/// <param name="tokenizer">Whose ids they are.</param>
/// <param name="begun">Whether they go on with a text.</param>
internal sealed class SentencePieceDecoder(SentencePieceTokenizer tokenizer, bool begun) : IncrementalDecoder
{
    private readonly bool _stripsFirstSpace = tokenizer.Model.Normalizer.AddDummyPrefix || tokenizer.Model.Normalizer.RemoveExtraWhitespaces;
    private readonly CharacterBuffer _characters = new(eachByte: true);
    private bool _begun = begun;

    /// <inheritdoc/>
    public override bool HasPending => _characters.HasPending;

    /// <inheritdoc/>
    public override string Append(int id)
    {
        SentencePiece piece = tokenizer.Model.Pieces[tokenizer.Checked(id)];
        string text = piece.Type == SentencePieceType.Byte ? _characters.Append([(byte)BytePiece.Value(piece.Text)]) : _characters.Flush();
        _begun |= text.Length > 0;
        return piece.Type == SentencePieceType.Byte ? text : text + Text(piece, tokenizer.IsShown(id));
    }

    /// <inheritdoc/>
    public override string Flush()
    {
        _begun = false;
        return _characters.Flush();
    }

    private string Text(SentencePiece piece, bool isShown)
    {
        string text = piece.Type switch
        {
            SentencePieceType.Control when !isShown => "",
            SentencePieceType.Unknown => tokenizer.Model.Trainer.UnknownSurface,
            _ => piece.Text,
        };
        if (piece.Type is SentencePieceType.Control or SentencePieceType.Unknown)
        {
            _begun |= text.Length > 0;
            return text;
        }

        if (!_begun && _stripsFirstSpace && text[0] == SentencePieceNormalizer.EscapedSpace)
        {
            // One leading space is the dummy prefix; a model that drops extra spaces drops all that lead.
            text = text[1..];
            _begun = !tokenizer.Model.Normalizer.RemoveExtraWhitespaces || text.Length > 0;
        }
        else
        {
            _begun = true;
        }

        return text.Replace(SentencePieceNormalizer.EscapedSpace, ' ');
    }
}
