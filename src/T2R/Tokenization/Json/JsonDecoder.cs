namespace T2R.Tokenization.Json;

/// <summary>
/// Decodes as the Rust crate does with special tokens skipped. One thing cannot be had from a stream: where bytes spelled as <c>&lt;0x..&gt;</c> are not UTF-8 throughout, the crate gives up
/// the whole run of them; here the characters in it stay, since they may have been shown.
/// </summary>
/// <param name="tokenizer">Whose ids they are.</param>
/// <param name="decoding">How tokens become text.</param>
/// <param name="begun">Whether they go on with a text.</param>
internal sealed class JsonDecoder(JsonTokenizer tokenizer, TokenDecoding decoding, bool begun) : IncrementalDecoder
{
    private readonly CharacterBuffer _characters = new(eachByte: !decoding.IsByteLevel);
    private bool _begun = begun;
    private int _toStrip = begun ? 0 : decoding.LeadingSpaces;

    /// <inheritdoc/>
    public override bool HasPending => _characters.HasPending;

    /// <inheritdoc/>
    public override string Append(int id)
    {
        Token token = tokenizer[id];
        if (token.Kind == TokenKind.Control)
        {
            return "";
        }

        ReadOnlySpan<byte> bytes = !_begun && decoding.DecodeFirst(token.Name) is { } first ? first : token.Utf8.Span;
        _begun = true;
        return Stripped(_characters.Append(bytes));
    }

    /// <inheritdoc/>
    public override string Flush()
    {
        string rest = Stripped(_characters.Flush());
        (_begun, _toStrip) = (false, decoding.LeadingSpaces);
        return rest;
    }

    private string Stripped(string text)
    {
        int spaces = 0;
        while (spaces < text.Length && spaces < _toStrip && text[spaces] == ' ')
        {
            spaces++;
        }

        _toStrip = spaces < text.Length ? 0 : _toStrip - spaces;
        return text[spaces..];
    }
}
