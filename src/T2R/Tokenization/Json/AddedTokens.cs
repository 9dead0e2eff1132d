using System.Globalization;
using System.Text;

namespace T2R.Tokenization.Json;

/// <summary>Cuts a text at the added tokens it spells: at each place the longest, from the left.</summary>
/// <param name="tokens">The tokens, by what is found.</param>
internal sealed class AddedTokens(IReadOnlyList<(string Pattern, AddedToken Token)> tokens)
{
    private readonly Dictionary<int, AddedToken> _byId = tokens.ToDictionary(t => t.Token.Id, t => t.Token);
    private readonly TokenFinder _finder = new(tokens.Select(t => KeyValuePair.Create(t.Pattern, t.Token.Id)));

    /// <summary>Cuts a text.</summary>
    /// <param name="text">Without lone surrogates.</param>
    /// <param name="controls">Whether those count that are special tokens.</param>
    /// <param name="take">Receives each part: a token's id, or null for the text between two; where it begins and ends.</param>
    public void Cut(string text, bool controls, Action<int?, int, int> take)
    {
        int done = 0, next = 0;
        while (_finder.Find(text, next, out int start, out int length) is { } id)
        {
            next = start + length;
            AddedToken token = _byId[id];
            if ((token.Special && !controls) || (token.SingleWord && IsInWord(text, start, next)))
            {
                continue;
            }

            int end = next;
            while (token.LeftStrip && start > done && char.IsWhiteSpace(text[start - 1]))
            {
                start--;
            }

            while (token.RightStrip && end < text.Length && char.IsWhiteSpace(text[end]))
            {
                end++;
            }

            if (done < start)
            {
                take(null, done, start);
            }

            take(id, start, end);
            done = end;
        }

        if (done < text.Length)
        {
            take(null, done, text.Length);
        }
    }

    private static bool IsInWord(string text, int start, int end) =>
        (start > 0 && Rune.DecodeLastFromUtf16(text.AsSpan(0, start), out Rune before, out _) == System.Buffers.OperationStatus.Done && IsWord(before))
        || (end < text.Length && Rune.DecodeFromUtf16(text.AsSpan(end), out Rune behind, out _) == System.Buffers.OperationStatus.Done && IsWord(behind));

    // Unicode's \w: alphabetic, marks, decimal digits, connectors, joiners. The circled and squared Latin letters are symbols that are alphabetic.
    private static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune)
        is <= UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation || rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
        or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);
}
