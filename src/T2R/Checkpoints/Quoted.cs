using System.Globalization;
using System.Text;

namespace T2R.Checkpoints;

/// <summary>Text from a file in a message: quoted, cut, and without what a terminal would obey.</summary>
internal static class Quoted
{
    private const int MaxLength = 200;

    internal static string Text(string text)
    {
        var quoted = new StringBuilder("'");
        foreach (char c in text.AsSpan(0, Math.Min(text.Length, MaxLength)))
        {
            _ = char.IsControl(c) ? quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}") : quoted.Append(c);
        }

        return quoted.Append(text.Length > MaxLength ? "…'" : "'").ToString();
    }
}
