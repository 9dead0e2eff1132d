using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace T2R.Tokenization.Json;

/// <summary>Cuts a text at the matches of a pattern.</summary>
/// <param name="pattern">The pattern; matches are not empty.</param>
/// <param name="behavior">What becomes of its matches.</param>
/// <param name="invert">Whether what is between matches counts as the matches.</param>
internal sealed class TextCutter(Regex pattern, SplitBehavior behavior, bool invert)
{
    [ThreadStatic]
    private static (char[] Replaced, int[] Places)? t_astral;

    /// <summary>Whether some of a text is dropped.</summary>
    public bool Removes => behavior == SplitBehavior.Removed;

    /// <summary>Cuts a text.</summary>
    /// <param name="text">Without lone surrogates.</param>
    /// <param name="parts">Receives where the parts begin and end.</param>
    /// <exception cref="UserErrorException">Searching for the pattern in it takes too long.</exception>
    public void Cut(ReadOnlySpan<char> text, List<(int Start, int End)> parts)
    {
        int begin = parts.Count;
        if (!AstralStandIns.AreNeeded(text))
        {
            Search(text, parts);
            return;
        }

        if (t_astral is not { } astral || astral.Replaced.Length < text.Length)
        {
            t_astral = astral = (new char[text.Length], new int[text.Length + 1]);
        }

        int length = AstralStandIns.Replace(text, astral.Replaced, astral.Places);
        Search(astral.Replaced.AsSpan(0, length), parts);
        foreach (ref (int Start, int End) part in CollectionsMarshal.AsSpan(parts)[begin..])
        {
            part = (astral.Places[part.Start], astral.Places[part.End]);
        }
    }

    private void Search(ReadOnlySpan<char> text, List<(int Start, int End)> parts)
    {
        try
        {
            CutPlain(text, parts);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new UserErrorException(
                $"The tokenizer's regular expression '{pattern}' was still being searched for after {e.MatchTimeout.TotalSeconds} s in a text of {text.Length} characters; it is not fit to cut texts, use another tokenizer.json.", e);
        }
    }

    private void CutPlain(ReadOnlySpan<char> text, List<(int Start, int End)> parts)
    {
        int begin = parts.Count, done = 0;
        bool follows = false;
        foreach (ValueMatch match in pattern.EnumerateMatches(text))
        {
            if (done < match.Index)
            {
                Add((done, match.Index), invert);
            }

            done = match.Index + match.Length;
            Add((match.Index, done), !invert);
        }

        if (done < text.Length)
        {
            Add((done, text.Length), invert);
        }

        void Add((int Start, int End) part, bool matches)
        {
            bool joins = parts.Count > begin && behavior switch
            {
                SplitBehavior.MergedWithPrevious => matches && !follows,
                SplitBehavior.MergedWithNext => follows && !matches,
                SplitBehavior.Contiguous => matches == follows,
                _ => false,
            };
            follows = matches;
            if (joins)
            {
                parts[^1] = (parts[^1].Start, part.End);
            }
            else if (behavior != SplitBehavior.Removed || !matches)
            {
                parts.Add(part);
            }
        }
    }
}
