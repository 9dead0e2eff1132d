using System.Text;

namespace T2R.Tokenization;

/// <summary>
/// Decodes ids one at a time. What it returns never changes afterwards and never splits a character: bytes of a character wait until it is complete or
/// cannot become one. All it returned, joined, is what <see cref="SentencePieceTokenizer"/> decodes the whole to.
/// </summary>
/// <param name="tokenizer">Whose ids they are.</param>
/// <param name="begun">Whether they go on with a text: the space that SentencePiece puts before a text is then none of theirs.</param>
public sealed class IncrementalDecoder(SentencePieceTokenizer tokenizer, bool begun = false)
{
    private readonly bool _stripsFirstSpace = tokenizer.Model.Normalizer.AddDummyPrefix || tokenizer.Model.Normalizer.RemoveExtraWhitespaces;
    private readonly byte[] _bytes = new byte[4];
    private int _byteCount;
    private bool _begun = begun;

    /// <summary>Whether bytes of an incomplete character wait.</summary>
    public bool HasPending => _byteCount > 0;

    /// <summary>Takes one id.</summary>
    /// <param name="id">From 0 to the vocabulary's size, exclusive.</param>
    /// <returns>The text that is now certain; empty for control pieces and incomplete characters.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public string Append(int id)
    {
        IReadOnlyList<SentencePiece> pieces = tokenizer.Model.Pieces;
        if ((uint)id >= (uint)pieces.Count)
        {
            throw new ArgumentOutOfRangeException(nameof(id), id, $"The vocabulary has {pieces.Count} pieces; there is no id {id}.");
        }

        SentencePiece piece = pieces[id];
        if (piece.Type == SentencePieceType.Byte)
        {
            _bytes[_byteCount++] = (byte)BytePiece.Value(piece.Text);
            return Characters(atEnd: false);
        }

        return Characters(atEnd: true) + Text(piece);
    }

    /// <summary>Ends the text; the decoder then is as new.</summary>
    /// <returns>U+FFFD for each byte of a character that never became complete.</returns>
    public string Flush()
    {
        string rest = Characters(atEnd: true);
        _begun = false;
        return rest;
    }

    private string Text(SentencePiece piece)
    {
        string text = piece.Type switch
        {
            SentencePieceType.Control => "",
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

    /// <summary>Takes what is certain from the bytes; each byte that cannot be part of a character is U+FFFD.</summary>
    private string Characters(bool atEnd)
    {
        string text = "";
        while (_byteCount > 0)
        {
            System.Buffers.OperationStatus status = Rune.DecodeFromUtf8(_bytes.AsSpan(0, _byteCount), out Rune rune, out int length);
            if (status == System.Buffers.OperationStatus.NeedMoreData && !atEnd)
            {
                break;
            }

            length = status == System.Buffers.OperationStatus.Done ? length : 1;
            text += rune.ToString();
            _bytes.AsSpan(length, _byteCount - length).CopyTo(_bytes);
            _byteCount -= length;
        }

        _begun |= text.Length > 0;
        return text;
    }
}
