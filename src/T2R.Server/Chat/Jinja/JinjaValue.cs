using System.Globalization;
using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>
/// What templates compute with, as Python has it: null, <see cref="bool"/>, <see cref="long"/>, <see cref="double"/>, <see cref="string"/>, lists, <see cref="JinjaMap"/>,
/// <see cref="JinjaCallable"/> and <see cref="JinjaUndefined"/>.
/// </summary>
internal static class JinjaValue
{
    /// <summary>Whether it counts as true.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null or JinjaUndefined => false,
        bool flag => flag,
        long whole => whole != 0,
        double real => real != 0,
        string text => text.Length > 0,
        List<object?> list => list.Count > 0,
        JinjaMap { IsNamespace: false } map => map.Count > 0,
        _ => true,
    };

    /// <summary>What it is written as.</summary>
    public static string Text(object? value) => value switch
    {
        string text => text,
        JinjaUndefined => "",
        _ => Shown(value),
    };

    /// <summary>What it is written as inside a list: texts in quotes.</summary>
    public static string Shown(object? value) => value switch
    {
        null => "None",
        bool flag => flag ? "True" : "False",
        long whole => whole.ToString(CultureInfo.InvariantCulture),
        double real => Number(real),
        string text => Quoted(text),
        JinjaTuple tuple => $"({string.Join(", ", tuple.Select(Shown))}{(tuple.Count == 1 ? "," : "")})",
        List<object?> list => $"[{string.Join(", ", list.Select(Shown))}]",
        JinjaMap map => $"{{{string.Join(", ", map.Select(e => $"{Quoted(e.Key)}: {Shown(e.Value)}"))}}}",
        JinjaUndefined => "Undefined",
        _ => "<function>",
    };

    /// <summary>A number as Python and JSON write it.</summary>
    public static string Number(double real)
    {
        string text = real.ToString("R", CultureInfo.InvariantCulture);
        return double.IsFinite(real) && !text.AsSpan().ContainsAny('.', 'E', 'e') ? text + ".0" : text;
    }

    /// <summary>Whether two are equal.</summary>
    public static bool AreEqual(object? a, object? b) => (a, b) switch
    {
        (null, null) or (JinjaUndefined, JinjaUndefined) => true,
        (string x, string y) => x == y,
        (List<object?> x, List<object?> y) => x.Count == y.Count && x.Zip(y).All(p => AreEqual(p.First, p.Second)),
        (JinjaMap x, JinjaMap y) => x.Count == y.Count && x.All(e => y.TryGetValue(e.Key, out object? other) && AreEqual(e.Value, other)),
        _ => AsNumber(a) is { } x && AsNumber(b) is { } y ? x.Equals(y) : a is not null && ReferenceEquals(a, b),
    };

    /// <summary>Which of two comes first: less than 0, 0 or more than 0.</summary>
    public static int Compare(object? a, object? b) => (a, b) switch
    {
        (string x, string y) => string.CompareOrdinal(x, y),
        _ => AsNumber(a) is { } x && AsNumber(b) is { } y ? x.CompareTo(y) : throw new JinjaException($"{Kind(a)} and {Kind(b)} cannot be compared"),
    };

    /// <summary>Whether one is in another.</summary>
    public static bool Contains(object? whole, object? part) => whole switch
    {
        string text => part is string inner ? text.Contains(inner, StringComparison.Ordinal) : throw new JinjaException($"a text has no {Kind(part)} in it"),
        List<object?> list => list.Any(e => AreEqual(e, part)),
        JinjaMap map => part is string key && map.ContainsKey(key),
        JinjaUndefined => false,
        _ => throw new JinjaException($"{Kind(whole)} has nothing in it"),
    };

    /// <summary>What it is made of.</summary>
    public static List<object?> Items(object? value) => value switch
    {
        List<object?> list => list,
        JinjaMap map => [.. map.Keys],
        string text => [.. text.EnumerateRunes().Select(r => r.ToString())],
        JinjaUndefined => [],
        _ => throw new JinjaException($"{Kind(value)} has no elements to go through"),
    };

    /// <summary>Something of it by name or place; undefined if it is not there.</summary>
    public static object? Member(object? value, object? key)
    {
        switch (value, key)
        {
            case (JinjaUndefined undefined, _):
                throw new JinjaException($"'{undefined.Name}' is undefined");
            case (JinjaMap map, string name) when map.TryGetValue(name, out object? found):
                return found;
            case (List<object?> list, long or bool):
                long at = key is bool flag ? (flag ? 1 : 0) : (long)key;
                at = at < 0 ? at + list.Count : at;
                return at >= 0 && at < list.Count ? list[(int)at] : new JinjaUndefined(Text(key));
            case (string text, long):
                return Member(Items(text), key) is string rune ? rune : new JinjaUndefined(Text(key));
            case (_, string name) when JinjaMethods.Of(value, name) is { } method:
                return method;
            default:
                return new JinjaUndefined(Text(key));
        }
    }

    /// <summary>A part of a text or a list: Python's <c>value[start:end:step]</c>.</summary>
    public static object Slice(object? value, object? start, object? end, object? step)
    {
        List<object?> items = value is string or List<object?> ? Items(value) : throw new JinjaException($"{Kind(value)} cannot be sliced");
        long by = step is null ? 1 : Whole(step), count = items.Count;
        if (by == 0)
        {
            throw new JinjaException("a slice has step 0");
        }

        long from = start is null ? (by > 0 ? 0 : count - 1) : Place(start), to = end is null ? (by > 0 ? count : -1) : Place(end);
        var part = new List<object?>();
        for (long i = from; by > 0 ? i < to : i > to; i += by)
        {
            part.Add(items[(int)i]);
        }

        return value is string ? string.Concat(part) : part;

        long Place(object? given)
        {
            long at = Whole(given);
            return Math.Clamp(at < 0 ? at + count : at, by > 0 ? 0 : -1, by > 0 ? count : count - 1);
        }
    }

    /// <summary>A whole number.</summary>
    public static long Whole(object? value) => value switch
    {
        long whole => whole,
        bool flag => flag ? 1 : 0,
        _ => throw new JinjaException($"{Kind(value)} stands where a whole number is wanted"),
    };

    /// <summary>A number; null if it is none.</summary>
    public static double? AsNumber(object? value) => value switch
    {
        long whole => whole,
        double real => real,
        bool flag => flag ? 1 : 0,
        _ => null,
    };

    /// <summary>What kind it is, for messages.</summary>
    public static string Kind(object? value) => value switch
    {
        null => "none",
        bool => "a boolean",
        long or double => "a number",
        string => "a text",
        List<object?> => "a list",
        JinjaMap => "a dictionary",
        JinjaUndefined undefined => $"'{undefined.Name}', which is undefined,",
        _ => "a function",
    };

    private static string Quoted(string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        var quoted = new StringBuilder().Append(quote);
        foreach (char c in text)
        {
            quoted.Append(c switch { '\n' => "\\n", '\r' => "\\r", '\t' => "\\t", '\\' => "\\\\", _ => c == quote ? $"\\{c}" : c < ' ' ? $"\\x{(int)c:x2}" : c.ToString() });
        }

        return quoted.Append(quote).ToString();
    }
}
