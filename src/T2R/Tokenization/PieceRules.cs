using System.Text;

namespace T2R.Tokenization;

/// <summary>
/// Which strings may become pieces: not too long; a space only in front, or nothing but spaces; a digit only alone; characters of one script, as
/// SentencePiece's settings <c>split_by_whitespace</c>, <c>split_digits</c>, <c>split_by_unicode_script</c> and <c>allow_whitespace_only_pieces</c> say.
/// </summary>
internal sealed class PieceRules(IEnumerable<string> reserved, int maximumLength)
{
    private static readonly Rune Space = new(SentencePieceNormalizer.EscapedSpace);
    private readonly HashSet<string> _reserved = [.. reserved];

    /// <param name="piece">A string of at least two characters.</param>
    /// <param name="length">Its length in characters.</param>
    public bool Allow(string piece, int length)
    {
        if (length > maximumLength || _reserved.Contains(piece))
        {
            return false;
        }

        if (piece.AsSpan().IndexOfAnyExcept(SentencePieceNormalizer.EscapedSpace) < 0)
        {
            return true;
        }

        int script = UnicodeScript.Inherited;
        bool first = true;
        foreach (Rune rune in piece.EnumerateRunes())
        {
            if (rune == Space ? !first : IsDigit(rune))
            {
                return false;
            }

            first = false;
            int next = rune == Space ? UnicodeScript.Inherited : UnicodeScript.Of(rune);
            if (next != UnicodeScript.Inherited && script != UnicodeScript.Inherited && next != script)
            {
                return false;
            }

            script = next == UnicodeScript.Inherited ? script : next;
        }

        return true;
    }

    private static bool IsDigit(Rune rune) => rune.Value is (>= '0' and <= '9') or (>= 0xFF10 and <= 0xFF19);
}
