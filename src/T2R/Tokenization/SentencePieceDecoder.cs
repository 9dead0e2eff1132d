using System.Buffers;
using System.Text;

namespace T2R.Tokenization;

/// <summary>Decodes as SentencePiece does: one space that leads is the dummy prefix, and each byte that is in no character is U+FFFD.</summary>
/// <param name="tokenizer">Whose ids they are.</param>
/// <param name="begun">Whether they go on with a text.</param>
internal sealed class SentencePieceDecoder(SentencePieceTokenizer tokenizer, bool begun) : IncrementalDecoder
{
    private readonly bool _stripsFirstSpace = tokenizer.Model.Normalizer.AddDummyPrefix || tokenizer.Model.Normalizer.RemoveExtraWhitespaces;
    private readonly byte[] _bytes = new byte[4];
    private int _byteCount;
    private bool _begun = begun;

    /// <inheritdoc/>
    public override bool HasPending => _byteCount > 0;

    /// <inheritdoc/>
    public override string Append(int id)
    {
        SentencePiece piece = tokenizer.Model.Pieces[tokenizer.Checked(id)];
        if (piece.Type == SentencePieceType.Byte)
        {
            _bytes[_byteCount++] = (byte)BytePiece.Value(piece.Text);
            return Characters(atEnd: false);
        }

        return Characters(atEnd: true) + Text(piece);
    }

    /// <inheritdoc/>
    public override string Flush()
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
            OperationStatus status = Rune.DecodeFromUtf8(_bytes.AsSpan(0, _byteCount), out Rune rune, out int length);
            if (status == OperationStatus.NeedMoreData && !atEnd)
            {
                break;
            }

            length = status == OperationStatus.Done ? length : 1;
            text += rune.ToString();
            _bytes.AsSpan(length, _byteCount - length).CopyTo(_bytes);
            _byteCount -= length;
        }

        _begun |= text.Length > 0;
        return text;
    }
}
