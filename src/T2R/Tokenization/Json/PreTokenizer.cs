namespace T2R.Tokenization.Json;

/// <summary>
/// Cuts a normalized text into the pre-tokens that merges stay within: tokenizer.json's <c>pre_tokenizer</c>. What it puts before a text and what it replaces spaces by is done before
/// cutting, as if it were normalizing, so that a text can be continued.
/// </summary>
internal sealed class PreTokenizer
{
    /// <summary>Put before a text; empty for nothing.</summary>
    public required string Prefix { get; init; }

    /// <summary>Whether <see cref="Prefix"/> is put before the text's beginning alone, and not behind an added token.</summary>
    public bool PrefixesFirstAlone { get; init; }

    /// <summary>What spaces are replaced by; null for nothing.</summary>
    public char? Space { get; init; }

    /// <summary>Whether pre-tokens are merged from bytes rather than from characters.</summary>
    public bool IsByteLevel { get; init; }

    /// <summary>One after another.</summary>
    public required IReadOnlyList<TextCutter> Cutters { get; init; }

    /// <summary>What happens to a normalized text before it is cut.</summary>
    /// <param name="text">The text.</param>
    /// <param name="isFirst">Whether it is the beginning.</param>
    public string Prepare(string text, bool isFirst)
    {
        text = PrepareNext(text);
        return text.Length == 0 || Prefix.Length == 0 || (PrefixesFirstAlone && !isFirst) || text.StartsWith(Prefix, StringComparison.Ordinal) ? text : Prefix + text;
    }

    /// <summary>Likewise, of a text that goes on with another.</summary>
    public string PrepareNext(string text) => Space is { } space ? text.Replace(' ', space) : text;

    /// <summary>Cuts a text that is prepared.</summary>
    /// <param name="text">The text.</param>
    /// <param name="parts">Receives where the pre-tokens begin and end.</param>
    public void Cut(ReadOnlySpan<char> text, List<(int Start, int End)> parts)
    {
        if (text.IsEmpty)
        {
            return;
        }

        if (Cutters.Count == 0)
        {
            parts.Add((0, text.Length));
            return;
        }

        Cutters[0].Cut(text, parts);
        List<(int Start, int End)> inner = [];
        foreach (TextCutter cutter in Cutters.Skip(1))
        {
            (int Start, int End)[] outer = [.. parts];
            parts.Clear();
            foreach ((int start, int end) in outer)
            {
                inner.Clear();
                cutter.Cut(text[start..end], inner);
                parts.AddRange(inner.Select(p => (start + p.Start, start + p.End)));
            }
        }
    }
}
