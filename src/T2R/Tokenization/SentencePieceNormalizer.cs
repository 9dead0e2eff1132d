using System.Text;

namespace T2R.Tokenization;

/// <summary>
/// SentencePiece's normalization for models without character rules: the dummy space, U+2581 for spaces, and, where the model asks for it, no extra
/// spaces. What is not text (a lone surrogate) becomes U+FFFD, as it would on its way to UTF-8.
/// </summary>
internal sealed class SentencePieceNormalizer(SentencePieceModel model, UserDefinedPieces userDefined)
{
    /// <summary>What stands for a space inside pieces: U+2581.</summary>
    public const char EscapedSpace = '\u2581';

    private readonly char _space = model.Normalizer.EscapeWhitespaces ? EscapedSpace : ' ';
    private readonly bool _prefix = model.Normalizer.AddDummyPrefix && !model.Trainer.TreatWhitespaceAsSuffix;
    private readonly bool _suffix = model.Normalizer.AddDummyPrefix && model.Trainer.TreatWhitespaceAsSuffix;

    /// <summary>Normalizes into a buffer.</summary>
    /// <param name="text">Any UTF-16.</param>
    /// <param name="buffer">At least one longer than the text.</param>
    /// <returns>How much of the buffer was written.</returns>
    public int Normalize(ReadOnlySpan<char> text, Span<char> buffer)
    {
        if (text.IsEmpty)
        {
            return 0;
        }

        int lead = _prefix ? 1 : 0;
        Span<char> body = buffer.Slice(lead, text.Length);
        text.CopyTo(body);
        ReplaceLoneSurrogates(body);
        int length = model.Normalizer.RemoveExtraWhitespaces ? CollapseSpaces(body) : text.Length;
        if (length == 0)
        {
            return 0;
        }

        body[..length].Replace(' ', _space);
        if (_prefix)
        {
            buffer[0] = _space;
        }

        length += lead;
        if (model.Normalizer.RemoveExtraWhitespaces)
        {
            length = buffer[..length].TrimEnd(_space).Length;
        }

        if (_suffix)
        {
            buffer[length++] = _space;
        }

        return length;
    }

    public static void ReplaceLoneSurrogates(Span<char> text)
    {
        int at = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        while (at >= 0 && at < text.Length)
        {
            Rune.DecodeFromUtf16(text[at..], out Rune rune, out int length);
            if (rune == Rune.ReplacementChar)
            {
                text[at] = '\uFFFD';
            }

            int following = text[(at + length)..].IndexOfAnyInRange('\uD800', '\uDFFF');
            at = following < 0 ? -1 : at + length + following;
        }
    }

    /// <summary>Drops leading spaces and all but the first of a run, in place; a user-defined piece counts as one character.</summary>
    private int CollapseSpaces(Span<char> text)
    {
        int read = 0;
        while (read < text.Length && text[read] == ' ' && userDefined.Match(text[read..], out _) <= 1)
        {
            read++;
        }

        int written = 0;
        bool afterSpace = true;
        while (read < text.Length)
        {
            int length = Math.Max(1, userDefined.Match(text[read..], out _));
            Span<char> chunk = text.Slice(read, length);
            Span<char> kept = afterSpace ? chunk.TrimStart(' ') : chunk;
            if (kept.Length > 0)
            {
                afterSpace = kept[^1] == ' ';
                kept.CopyTo(text[written..]);
                written += kept.Length;
            }

            read += length;
        }

        return written;
    }
}
