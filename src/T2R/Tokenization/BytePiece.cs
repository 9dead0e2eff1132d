using System.Globalization;

namespace T2R.Tokenization;

/// <summary>The spelling of byte pieces: <c>&lt;0x0A&gt;</c>, two upper-case digits.</summary>
internal static class BytePiece
{
    public static string Spell(byte value) => $"<0x{value:X2}>";

    /// <returns>The byte, or −1 when the text does not spell one.</returns>
    public static int Value(string text) =>
        text.Length == 6 && byte.TryParse(text.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, null, out byte value) && text == Spell(value) ? value : -1;
}
