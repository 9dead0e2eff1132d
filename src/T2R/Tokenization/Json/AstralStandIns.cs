using System.Buffers;
using System.Globalization;
using System.Text;

namespace T2R.Tokenization.Json;

/// <summary>
/// Makes .NET's regular expressions, which see UTF-16 units, see characters: each character above U+FFFF is replaced by one character of the same general category, by which alone
/// patterns tell it.
/// </summary>
internal static class AstralStandIns
{
    private static readonly Dictionary<UnicodeCategory, char> OfCategory = new()
    {
        [UnicodeCategory.UppercaseLetter] = '\uFF21', [UnicodeCategory.LowercaseLetter] = '\uFF41', [UnicodeCategory.TitlecaseLetter] = '\u01C5',
        [UnicodeCategory.ModifierLetter] = '\uFF70', [UnicodeCategory.OtherLetter] = '\uFB50', [UnicodeCategory.NonSpacingMark] = '\uFE20',
        [UnicodeCategory.SpacingCombiningMark] = '\u0903', [UnicodeCategory.EnclosingMark] = '\u0488', [UnicodeCategory.DecimalDigitNumber] = '\uFF10',
        [UnicodeCategory.LetterNumber] = '\u2180', [UnicodeCategory.OtherNumber] = '\u00BC', [UnicodeCategory.SpaceSeparator] = '\u2003',
        [UnicodeCategory.LineSeparator] = '\u2028', [UnicodeCategory.ParagraphSeparator] = '\u2029', [UnicodeCategory.Control] = '\u0080',
        [UnicodeCategory.Format] = '\uFFF9', [UnicodeCategory.PrivateUse] = '\uE000', [UnicodeCategory.ConnectorPunctuation] = '\uFF3F',
        [UnicodeCategory.DashPunctuation] = '\uFE58', [UnicodeCategory.OpenPunctuation] = '\uFF3B', [UnicodeCategory.ClosePunctuation] = '\uFF3D',
        [UnicodeCategory.InitialQuotePunctuation] = '\u00AB', [UnicodeCategory.FinalQuotePunctuation] = '\u00BB', [UnicodeCategory.OtherPunctuation] = '\uFE50',
        [UnicodeCategory.MathSymbol] = '\uFE62', [UnicodeCategory.CurrencySymbol] = '\uFE69', [UnicodeCategory.ModifierSymbol] = '\uFFE3',
        [UnicodeCategory.OtherSymbol] = '\uFFED', [UnicodeCategory.OtherNotAssigned] = '\uFDD0', [UnicodeCategory.Surrogate] = '\uFFFD',
    };

    private static readonly SearchValues<char> Characters = SearchValues.Create([.. OfCategory.Values]);

    /// <summary>Whether a pattern's range of characters tells some of the stand-ins from others of their category.</summary>
    public static bool Meets(char first, char last) => OfCategory.Values.Any(c => c >= first && c <= last);

    /// <summary>Whether a pattern names a stand-in.</summary>
    public static bool Meets(char character) => Characters.Contains(character);

    /// <summary>Whether a text has characters above U+FFFF.</summary>
    public static bool AreNeeded(ReadOnlySpan<char> text) => text.ContainsAnyInRange('\uD800', '\uDFFF');

    /// <summary>Replaces them.</summary>
    /// <param name="text">Without lone surrogates.</param>
    /// <param name="replaced">At least as long; receives the text with stand-ins.</param>
    /// <param name="places">One longer; receives where each character of it begins in <paramref name="text"/>, and last the text's length.</param>
    /// <returns>How many characters it has.</returns>
    public static int Replace(ReadOnlySpan<char> text, Span<char> replaced, Span<int> places)
    {
        int count = 0;
        for (int i = 0; i < text.Length; count++)
        {
            places[count] = i;
            bool pair = char.IsHighSurrogate(text[i]);
            replaced[count] = pair ? OfCategory[Rune.GetUnicodeCategory(new Rune(text[i], text[i + 1]))] : text[i];
            i += pair ? 2 : 1;
        }

        places[count] = text.Length;
        return count;
    }
}
