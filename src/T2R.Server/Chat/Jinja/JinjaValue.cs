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
    public static string Text(JinjaBudget budget, object? value)
    {
        if (value is string or JinjaUndefined)
        {
            return value as string ?? "";
        }

        var text = new StringBuilder();
        Show(budget, value, text);
        return text.ToString();
    }

    /// <summary>A number as Python and JSON write it.</summary>
    public static string Number(double real)
    {
        if (!double.IsFinite(real))
        {
            return double.IsNaN(real) ? "nan" : real > 0 ? "inf" : "-inf";
        }

        // The digits that tell it from its neighbours, and where the point is among them.
        string[] parts = Math.Abs(real).ToString("R", CultureInfo.InvariantCulture).Split('E');
        int dot = parts[0].IndexOf('.', StringComparison.Ordinal);
        string all = parts[0].Replace(".", "", StringComparison.Ordinal), digits = all.TrimStart('0').TrimEnd('0');
        int point = (dot < 0 ? parts[0].Length : dot) - (all.Length - all.TrimStart('0').Length) + (parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0);
        string number = (digits.Length, point) switch
        {
            (0, _) => "0.0",
            (_, < -3 or > 16) => $"{digits[0]}{(digits.Length > 1 ? "." : "")}{digits[1..]}e{(point > 0 ? '+' : '-')}{Math.Abs(point - 1):00}",
            (_, <= 0) => $"0.{new string('0', -point)}{digits}",
            var (length, _) when point >= length => $"{digits.PadRight(point, '0')}.0",
            _ => $"{digits[..point]}.{digits[point..]}",
        };
        return double.IsNegative(real) ? "-" + number : number;
    }

    /// <summary>Whether two are equal.</summary>
    public static bool AreEqual(JinjaBudget budget, object? a, object? b)
    {
        budget.Step();
        switch (a, b)
        {
            case (null, null) or (JinjaUndefined, JinjaUndefined):
                return true;
            case (string x, string y):
                budget.Use(Math.Min(x.Length, y.Length));
                return x == y;
            case (List<object?> x, List<object?> y):
                return x.Count == y.Count && x.Zip(y).All(p => AreEqual(budget, p.First, p.Second));
            case (JinjaMap x, JinjaMap y):
                return x.Count == y.Count && x.All(e => y.TryGetValue(e.Key, out object? other) && AreEqual(budget, e.Value, other));
            case (long x, long y):
                return x == y;
            default:
                return AsNumber(a) is { } m && AsNumber(b) is { } n ? m.Equals(n) : a is not null && ReferenceEquals(a, b);
        }
    }

    /// <summary>Which of two comes first: less than 0, 0 or more than 0.</summary>
    public static int Compare(JinjaBudget budget, object? a, object? b)
    {
        budget.Step();
        switch (a, b)
        {
            case (string x, string y):
                budget.Use(Math.Min(x.Length, y.Length));
                return string.CompareOrdinal(x, y);
            case (long x, long y):
                return x.CompareTo(y);
            default:
                return AsNumber(a) is { } m && AsNumber(b) is { } n ? m.CompareTo(n) : throw new JinjaException($"{Kind(a)} and {Kind(b)} cannot be compared");
        }
    }

    /// <summary>Whether one is in another.</summary>
    public static bool Contains(JinjaBudget budget, object? whole, object? part)
    {
        budget.Use(whole);
        return whole switch
        {
            string text => part is string inner ? text.Contains(inner, StringComparison.Ordinal) : throw new JinjaException($"a text has no {Kind(part)} in it"),
            List<object?> list => list.Any(e => AreEqual(budget, e, part)),
            JinjaMap map => part is string key && map.ContainsKey(key),
            JinjaUndefined => false,
            _ => throw new JinjaException($"{Kind(whole)} has nothing in it"),
        };
    }

    /// <summary>What it is made of.</summary>
    public static List<object?> Items(JinjaBudget budget, object? value)
    {
        switch (value)
        {
            case List<object?> list:
                return list;
            case JinjaMap map:
                budget.Use(map);
                return [.. map.Keys];
            case string text:
                budget.Use((long)JinjaBudget.Operation * text.Length);
                return [.. text.EnumerateRunes().Select(r => r.ToString())];
            case JinjaUndefined:
                return [];
            default:
                throw new JinjaException($"{Kind(value)} has no elements to go through");
        }
    }

    /// <summary>Something of it by name or place; undefined if it is not there.</summary>
    public static object? Member(JinjaBudget budget, object? value, object? key)
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
                return at >= 0 && at < list.Count ? list[(int)at] : new JinjaUndefined(Text(budget, key));
            case (string text, long place):
                budget.Use(text.Length);
                long length = text.EnumerateRunes().Count(), wanted = place < 0 ? place + length : place;
                return wanted >= 0 && wanted < length ? text.EnumerateRunes().ElementAt((int)wanted).ToString() : new JinjaUndefined(Text(budget, key));
            case (_, string name) when JinjaMethods.Of(value, name) is { } method:
                return method;
            default:
                return new JinjaUndefined(Text(budget, key));
        }
    }

    /// <summary>A part of a text or a list: Python's <c>value[start:end:step]</c>.</summary>
    public static object Slice(JinjaBudget budget, object? value, object? start, object? end, object? step)
    {
        // A text without surrogates has a character in each place.
        string? plain = value is string text && !text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? text : null;
        budget.Use(value);
        List<object?> items = plain is not null ? [] : value is string or List<object?> ? Items(budget, value) : throw new JinjaException($"{Kind(value)} cannot be sliced");
        long by = step is null ? 1 : Whole(step), count = plain?.Length ?? items.Count;
        if (by == 0)
        {
            throw new JinjaException("a slice has step 0");
        }

        by = Math.Clamp(by, -count - 1, count + 1);
        long from = start is null ? (by > 0 ? 0 : count - 1) : Place(start), to = end is null ? (by > 0 ? count : -1) : Place(end);
        var characters = new StringBuilder();
        var part = new List<object?>();
        for (long i = from; by > 0 ? i < to : i > to; i += by)
        {
            if (plain is not null)
            {
                characters.Append(plain[(int)i]);
            }
            else
            {
                part.Add(items[(int)i]);
            }
        }

        return plain is not null ? characters.ToString() : value is string ? string.Concat(part) : part;

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

    // As it stands inside a list: texts in quotes.
    private static void Show(JinjaBudget budget, object? value, StringBuilder text)
    {
        budget.Step();
        switch (value)
        {
            case string given:
                budget.Use(given);
                Quote(given, text);
                break;
            case List<object?> list:
                text.Append(list is JinjaTuple ? '(' : '[');
                for (int i = 0; i < list.Count; i++)
                {
                    text.Append(i == 0 ? "" : ", ");
                    Show(budget, list[i], text);
                }

                text.Append(list is JinjaTuple ? list.Count == 1 ? ",)" : ")" : "]");
                break;
            case JinjaMap map:
                text.Append('{');
                int entry = 0;
                foreach ((string key, object? inner) in map)
                {
                    text.Append(entry++ == 0 ? "" : ", ");
                    Show(budget, key, text);
                    text.Append(": ");
                    Show(budget, inner, text);
                }

                text.Append('}');
                break;
            default:
                text.Append(value switch
                {
                    null => "None",
                    bool flag => flag ? "True" : "False",
                    long whole => whole.ToString(CultureInfo.InvariantCulture),
                    double real => Number(real),
                    JinjaUndefined => "Undefined",
                    _ => "<function>",
                });
                break;
        }
    }

    private static void Quote(string given, StringBuilder text)
    {
        char quote = given.Contains('\'', StringComparison.Ordinal) && !given.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        text.Append(quote);
        foreach (char c in given)
        {
            _ = c switch
            {
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\\' => text.Append("\\\\"),
                _ when c == quote => text.Append('\\').Append(c),
                < ' ' => text.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}"),
                _ => text.Append(c),
            };
        }

        text.Append(quote);
    }
}
