using System.Globalization;
using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>A time as C's <c>strftime</c> writes it.</summary>
internal static class JinjaTime
{
    /// <summary>Writes a time.</summary>
    /// <exception cref="JinjaException">The format has a part that is not known.</exception>
    public static string Format(DateTime time, string format)
    {
        var text = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            bool bare = format[i + 1] == '-' && i + 2 < format.Length;
            i += bare ? 2 : 1;
            string part = Part(time, format[i]);
            text.Append(bare && part.Length > 1 ? part.TrimStart('0') : part);
        }

        return text.ToString();
    }

    private static string Part(DateTime time, char letter) => letter switch
    {
        '%' => "%",
        'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        _ => time.ToString(
            letter switch
            {
                'Y' => "yyyy", 'y' => "yy", 'm' => "MM", 'B' => "MMMM", 'b' or 'h' => "MMM", 'd' => "dd", 'A' => "dddd", 'a' => "ddd",
                'H' => "HH", 'I' => "hh", 'M' => "mm", 'S' => "ss", 'p' => "tt", 'F' => "yyyy-MM-dd", 'T' => "HH:mm:ss",
                _ => throw new JinjaException($"strftime_now is called with '%{letter}', which T2R does not know"),
            },
            CultureInfo.InvariantCulture),
    };
}
