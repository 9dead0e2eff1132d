using System.Text;

namespace T2R.Tokenization.Json;

/// <summary>
/// The characters that byte-level vocabularies spell bytes with (Radford et al. 2019, GPT-2): printable Latin-1 characters stand for themselves, the other 68 bytes are U+0100 and on,
/// in order.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] CharacterOf = Characters();
    private static readonly Dictionary<char, byte> ByteOf = Enumerable.Range(0, 256).ToDictionary(b => CharacterOf[b], b => (byte)b);

    /// <summary>The character of a byte.</summary>
    public static char Character(int value) => CharacterOf[value];

    /// <summary>The bytes that a token spells; null if it has a character that is none of the alphabet.</summary>
    public static byte[]? Bytes(string token)
    {
        byte[] bytes = new byte[token.Length];
        for (int i = 0; i < token.Length; i++)
        {
            if (!ByteOf.TryGetValue(token[i], out bytes[i]))
            {
                return null;
            }
        }

        return bytes;
    }

    /// <summary>The text that a token spells; null if that is no text by itself.</summary>
    public static string? Text(string token) => Bytes(token) is { } bytes && System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : null;

    private static char[] Characters()
    {
        char[] characters = new char[256];
        int next = 0x100;
        for (int value = 0; value < 256; value++)
        {
            characters[value] = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)value : (char)next++;
        }

        return characters;
    }
}
