using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace T2R.Tokenization.Json;

/// <summary>
/// A pattern of a Split pre-tokenizer, in Oniguruma's syntax, as a regular expression of .NET's. Taken is what means the same in both: literals, classes, <c>\s \d \r \n \t</c>, general
/// categories, groups, lookaround, quantifiers. The rest (anchors, <c>\w</c>, <c>\h</c>, scripts, set operations, names above U+FFFF) is refused rather than guessed.
/// </summary>
internal static class SplitPattern
{
    private static readonly HashSet<string> Categories = new(
        "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Co".Split(' '), StringComparer.Ordinal);

    // A search that comes to an end takes microseconds; one that tries all ways of reading a text, as with (?:a|aa)+b, takes years.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    private static readonly string[] Groups = ["(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"];

    // Two letters that Unicode has one character for, which is a case of theirs to Oniguruma.
    private static readonly string[] Ligatures = ["ss", "ff", "fi", "fl", "st"];

    /// <summary>Translates a pattern.</summary>
    /// <param name="pattern">In Oniguruma's syntax.</param>
    /// <returns>The expression.</returns>
    /// <exception cref="FormatException">It is not supported; says what in it.</exception>
    public static Regex Parse(string pattern)
    {
        var written = new StringBuilder();
        var caseless = new Stack<bool>([false]);
        for (int i = 0; i < pattern.Length;)
        {
            char c = pattern[i];
            switch (c)
            {
                case '(':
                    string opening = pattern.AsSpan(i).StartsWith("(?")
                        ? Groups.FirstOrDefault(g => pattern.AsSpan(i).StartsWith(g)) ?? throw new FormatException($"the group at '{Near(pattern, i)}'")
                        : "(";
                    caseless.Push(caseless.Peek() || opening == "(?i:");
                    written.Append(opening == "(" ? "(?:" : opening);
                    i += opening.Length;
                    break;
                case ')':
                    _ = caseless.Count > 1 ? caseless.Pop() : throw new FormatException("a ')' without its '('");
                    written.Append(c);
                    i++;
                    break;
                case '[' when caseless.Peek():
                    // Which characters are another's cases is not the same in both.
                    throw new FormatException($"the class at '{Near(pattern, i)}' inside of (?i:");
                case '[':
                    i = Class(pattern, i, written);
                    break;
                case '\\' when caseless.Peek() && i + 1 < pattern.Length && char.IsAsciiLetter(pattern[i + 1]) && pattern[i + 1] is not ('s' or 'S' or 'd' or 'D' or 'r' or 'n' or 't'):
                    throw new FormatException($"'\\{pattern[i + 1]}' inside of (?i:");
                case '\\':
                    i = Escape(pattern, i, written, out _);
                    break;
                case '^' or '$':
                    throw new FormatException($"the anchor '{c}'");
                case '{' when FixedLazily(pattern, i):
                    throw new FormatException($"the quantifier at '{Near(pattern, i)}'");
                case '{' when i + 1 < pattern.Length && pattern[i + 1] == ',':
                    throw new FormatException($"the quantifier at '{Near(pattern, i)}'");
                default:
                    Literal(c);
                    if (caseless.Peek() && (c >= 0x80 || Ligatures.Any(l => pattern.AsSpan(i).StartsWith(l, StringComparison.OrdinalIgnoreCase))))
                    {
                        throw new FormatException($"'{Near(pattern, i)}' inside of (?i:");
                    }

                    written.Append(caseless.Peek() ? Folded(c) : c.ToString());
                    i++;
                    break;
            }
        }

        try
        {
            var regex = new Regex(written.ToString(), RegexOptions.Compiled | RegexOptions.CultureInvariant, Longest);
            return regex.IsMatch("") ? throw new FormatException("that it matches nothing at all") : regex;
        }
        catch (ArgumentException e)
        {
            throw new FormatException(e.Message, e);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new FormatException("that it cannot be searched for in reasonable time", e);
        }
    }

    private static int Class(string pattern, int start, StringBuilder written)
    {
        int i = start + 1;
        written.Append('[');
        if (i < pattern.Length && pattern[i] == '^')
        {
            written.Append('^');
            i++;
        }

        int first = i;
        char? from = null;
        bool isRange = false;
        for (; i < pattern.Length; )
        {
            char c = pattern[i];
            if (c == ']' && i > first)
            {
                written.Append(']');
                return i + 1;
            }

            if (c is '[' or ']' || pattern.AsSpan(i).StartsWith("&&"))
            {
                throw new FormatException($"the class at '{Near(pattern, start)}'");
            }

            if (c == '-' && from is not null && !isRange && i + 1 < pattern.Length && pattern[i + 1] != ']')
            {
                isRange = true;
                written.Append('-');
                i++;
                continue;
            }

            char? single = c;
            if (c == '\\')
            {
                i = Escape(pattern, i, written, out single);
            }
            else
            {
                Literal(c);

                // A '-' that is no range, in the middle of a class, is one to .NET only if it is escaped.
                written.Append(c == '-' ? "\\-" : c.ToString());
                i++;
            }

            if (isRange && (single is null || AstralStandIns.Meets(from!.Value, single.Value)))
            {
                throw new FormatException($"the range in the class at '{Near(pattern, start)}'");
            }

            from = isRange ? null : single;
            isRange = false;
        }

        throw new FormatException($"the class at '{Near(pattern, start)}', which does not end");
    }

    private static int Escape(string pattern, int start, StringBuilder written, out char? single)
    {
        single = null;
        char c = start + 1 < pattern.Length ? pattern[start + 1] : throw new FormatException("the '\\' at its end");
        if (c is 'p' or 'P' && start + 2 < pattern.Length && pattern[start + 2] == '{' && pattern.IndexOf('}', start) is > 0 and var end && Categories.Contains(pattern[(start + 3)..end]))
        {
            written.Append(pattern, start, end + 1 - start);
            return end + 1;
        }

        if (c is 's' or 'S' or 'd' or 'D')
        {
            written.Append('\\').Append(c);
            return start + 2;
        }

        int length = c switch { 'u' => 4, 'x' => 2, _ => 0 };
        if (length > 0 && start + 2 + length <= pattern.Length && int.TryParse(pattern.AsSpan(start + 2, length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code))
        {
            Literal((char)code);
            single = (char)code;
            written.Append(CultureInfo.InvariantCulture, $"\\u{code:x4}");
            return start + 2 + length;
        }

        single = c switch { 'r' => '\r', 'n' => '\n', 't' => '\t', 'f' => '\f', 'v' => '\v', _ => char.IsAsciiLetterOrDigit(c) || c >= 0x80 ? throw new FormatException($"'\\{c}'") : c };
        written.Append('\\').Append(c);
        return start + 2;
    }

    private static void Literal(char c)
    {
        if (char.IsSurrogate(c) || AstralStandIns.Meets(c))
        {
            throw new FormatException($"the character U+{(int)c:X4}");
        }
    }

    // .NET counts neither ſ (U+017F) as an s nor the Kelvin sign (U+212A) as a k; Unicode's case folding does.
    private static string Folded(char c) => c switch { 's' or 'S' => "[sS\u017f]", 'k' or 'K' => "[kK\u212a]", _ => c.ToString() };

    // {n}?: to Oniguruma either none or n, to .NET n.
    private static bool FixedLazily(string pattern, int at)
    {
        int end = at + 1;
        while (end < pattern.Length && char.IsAsciiDigit(pattern[end]))
        {
            end++;
        }

        return end > at + 1 && pattern.AsSpan(end).StartsWith("}?");
    }

    private static string Near(string pattern, int at) => pattern.Substring(at, Math.Min(12, pattern.Length - at));
}
