using System.Globalization;
using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>JSON as Python's <c>json.dumps(value, ensure_ascii=False)</c> writes it, which is what transformers makes of <c>tojson</c>.</summary>
internal sealed class JinjaJson
{
    private readonly StringBuilder _text = new();
    private readonly JinjaBudget _budget;
    private readonly bool _ascii, _sorts;
    private readonly int? _indent;
    private readonly string _between, _behindKey;

    private JinjaJson(JinjaBudget budget, bool ascii, int? indent, string between, string behindKey, bool sorts) =>
        (_budget, _ascii, _indent, _between, _behindKey, _sorts) = (budget, ascii, indent, between, behindKey, sorts);

    /// <summary>Writes a value.</summary>
    /// <param name="budget">Pays for it.</param>
    /// <param name="value">The value.</param>
    /// <param name="ascii">Whether other characters are escaped.</param>
    /// <param name="indent">How far each level is indented; null for one line.</param>
    /// <param name="separators">What stands between elements and behind keys; null for Python's own.</param>
    /// <param name="sorts">Whether a dictionary's keys are in order.</param>
    public static string Write(JinjaBudget budget, object? value, bool ascii, object? indent, object? separators, bool sorts)
    {
        string[]? given = separators switch
        {
            null => null,
            List<object?> { Count: 2 } pair => [JinjaValue.Text(budget, pair[0]), JinjaValue.Text(budget, pair[1])],
            _ => throw new JinjaException("'tojson' wants two separators"),
        };
        var json = new JinjaJson(budget, ascii, indent is null ? null : (int)Math.Clamp(JinjaValue.Whole(indent), 0, 100), given?[0] ?? (indent is null ? ", " : ","), given?[1] ?? ": ", sorts);
        json.Write(value, 0);
        return json._text.ToString();
    }

    private void Write(object? value, int level)
    {
        _budget.Step();
        switch (value)
        {
            case null:
                _text.Append("null");
                break;
            case bool flag:
                _text.Append(flag ? "true" : "false");
                break;
            case double real when !double.IsFinite(real):
                _text.Append(double.IsNaN(real) ? "NaN" : real > 0 ? "Infinity" : "-Infinity");
                break;
            case long or double:
                _text.Append(JinjaValue.Text(_budget, value));
                break;
            case string given:
                Quote(given);
                break;
            case List<object?> list:
                Several(list, '[', ']', level, element => Write(element, level + 1));
                break;
            case JinjaMap map:
                Several(_sorts ? [.. map.OrderBy(e => e.Key, StringComparer.Ordinal)] : map.ToList(), '{', '}', level, entry =>
                {
                    Quote(entry.Key);
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
            _budget.Use(_between.Length + _behindKey.Length);
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
                _budget.Use((long)width * to);
                _text.Append('\n').Append(' ', width * to);
            }
        }
    }

    private void Quote(string given)
    {
        _budget.Use(given);
        _text.Append('"');
        foreach (char c in given)
        {
            _ = c switch
            {
                '"' => _text.Append("\\\""),
                '\\' => _text.Append("\\\\"),
                '\n' => _text.Append("\\n"),
                '\r' => _text.Append("\\r"),
                '\t' => _text.Append("\\t"),
                '\b' => _text.Append("\\b"),
                '\f' => _text.Append("\\f"),
                _ when c < ' ' || (_ascii && c > '~') => _text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => _text.Append(c),
            };
        }

        _text.Append('"');
    }
}
