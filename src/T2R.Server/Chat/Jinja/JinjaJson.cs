using System.Globalization;
using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>JSON as Python's <c>json.dumps(value, ensure_ascii=False)</c> writes it, which is what transformers makes of <c>tojson</c>.</summary>
internal sealed class JinjaJson
{
    private readonly StringBuilder _text = new();
    private readonly int? _indent;
    private readonly string _between, _behindKey;

    private JinjaJson(int? indent, string between, string behindKey) => (_indent, _between, _behindKey) = (indent, between, behindKey);

    /// <summary>Writes a value.</summary>
    /// <param name="value">The value.</param>
    /// <param name="indent">How far each level is indented; null for one line.</param>
    /// <param name="separators">What stands between elements and behind keys; null for Python's own.</param>
    public static string Write(object? value, object? indent, object? separators)
    {
        var json = new JinjaJson(
            indent is null ? null : (int)Math.Clamp(JinjaValue.Whole(indent), 0, 100),
            separators is List<object?> { Count: 2 } given ? JinjaValue.Text(given[0]) : indent is null ? ", " : ",",
            separators is List<object?> { Count: 2 } pair ? JinjaValue.Text(pair[1]) : ": ");
        json.Write(value, 0);
        return json._text.ToString();
    }

    private void Write(object? value, int level)
    {
        switch (value)
        {
            case null:
                _text.Append("null");
                break;
            case bool flag:
                _text.Append(flag ? "true" : "false");
                break;
            case long or double:
                _text.Append(JinjaValue.Shown(value));
                break;
            case string given:
                Quote(given, _text);
                break;
            case List<object?> list:
                Several(list, '[', ']', level, element => Write(element, level + 1));
                break;
            case JinjaMap map:
                Several(map.ToList(), '{', '}', level, entry =>
                {
                    Quote(entry.Key, _text);
                    _text.Append(_behindKey);
                    Write(entry.Value, level + 1);
                });
                break;
            default:
                throw new JinjaException($"{JinjaValue.Kind(value)} cannot be written as JSON");
        }
    }

    private void Several<T>(List<T> elements, char open, char close, int level, Action<T> write)
    {
        _text.Append(open);
        for (int i = 0; i < elements.Count; i++)
        {
            _text.Append(i == 0 ? "" : _between);
            Line(level + 1);
            write(elements[i]);
        }

        if (elements.Count > 0)
        {
            Line(level);
        }

        _text.Append(close);

        void Line(int to)
        {
            if (_indent is { } width)
            {
                _text.Append('\n').Append(' ', width * to);
            }
        }
    }

    private static void Quote(string given, StringBuilder text)
    {
        text.Append('"');
        foreach (char c in given)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                < ' ' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        }

        text.Append('"');
    }
}
