using System.Globalization;
using System.Text;

namespace T2R.Tokenization;

/// <summary>
/// Unicode's script property, by category and block, near enough to keep pieces of one script: .NET has no table of it. What is no letter is common to all
/// scripts, marks take the script of what they follow, and kana count as Han, as in SentencePiece.
/// </summary>
internal static class UnicodeScript
{
    /// <summary>Takes the script of the character before it.</summary>
    public const int Inherited = -1;

    private const int Common = 0, Latin = 1, Greek = 2, Cyrillic = 3, Arabic = 4, Han = 5, Hangul = 6, Others = 7;

    public static int Of(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark => Inherited,
        UnicodeCategory.SpacingCombiningMark => OfLetter(rune.Value),
        _ => Rune.IsLetter(rune) ? OfLetter(rune.Value) : Common,
    };

    private static int OfLetter(int c) => c switch
    {
        0xB5 or (>= 0x2B0 and < 0x370) => Common,
        < 0x2B0 or (>= 0x1D00 and < 0x1F00) or (>= 0x2C60 and < 0x2C80) or (>= 0xA720 and < 0xA800) or (>= 0xFB00 and < 0xFB07) or (>= 0xFF21 and < 0xFF5B) => Latin,
        < 0x400 or (>= 0x1F00 and < 0x2000) => Greek,
        < 0x530 or (>= 0x1C80 and < 0x1C90) or (>= 0x2DE0 and < 0x2E00) or (>= 0xA640 and < 0xA6A0) => Cyrillic,
        (>= 0x600 and < 0x700) or (>= 0x750 and < 0x780) or (>= 0x8A0 and < 0x900) or (>= 0xFB50 and < 0xFE00) or (>= 0xFE70 and < 0xFF00) => Arabic,
        (>= 0x1100 and < 0x1200) or (>= 0x3130 and < 0x3190) or (>= 0xA960 and < 0xA980) or (>= 0xAC00 and < 0xD800) => Hangul,
        (>= 0x2E80 and < 0xA000) or (>= 0xF900 and < 0xFB00) or (>= 0xFF66 and < 0xFFA0) or (>= 0x1B000 and < 0x1B170) or (>= 0x20000 and < 0x40000) => Han,

        // Most other scripts have 128 code points to themselves.
        _ => Others + (c >> 7),
    };
}
