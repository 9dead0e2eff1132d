using System.Globalization;
using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>The filters that templates may use: <c>value | name(arguments)</c>.</summary>
internal static class JinjaFilters
{
    /// <summary>By name; the value is the first argument.</summary>
    public static readonly IReadOnlyDictionary<string, JinjaCallable> All = new Dictionary<string, JinjaCallable>(StringComparer.Ordinal)
    {
        ["trim"] = (a, _) => JinjaMethods.Strip(JinjaValue.Text(a[0]), a.Count > 1 ? JinjaValue.Text(a[1]) : null),
        ["length"] = (a, _) => Length(a[0]),
        ["count"] = (a, _) => Length(a[0]),
        ["string"] = (a, _) => JinjaValue.Text(a[0]),
        ["upper"] = (a, _) => JinjaValue.Text(a[0]).ToUpperInvariant(),
        ["lower"] = (a, _) => JinjaValue.Text(a[0]).ToLowerInvariant(),
        ["title"] = (a, _) => Titled(JinjaValue.Text(a[0])),
        ["capitalize"] = (a, _) => Capitalized(JinjaValue.Text(a[0])),
        ["replace"] = (a, _) => JinjaMethods.Replaced(JinjaValue.Text(a[0]), JinjaValue.Text(At(a, 1)), JinjaValue.Text(At(a, 2)), a.Count > 3 ? JinjaValue.Whole(a[3]) : -1),
        ["int"] = (a, _) => a[0] is double real ? (long)real : JinjaValue.AsNumber(a[0]) is not null ? JinjaValue.Whole(a[0]) : long.TryParse(JinjaValue.Text(a[0]).Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) ? whole : a.Count > 1 ? a[1] : 0L,
        ["float"] = (a, _) => JinjaValue.AsNumber(a[0]) ?? (double.TryParse(JinjaValue.Text(a[0]), NumberStyles.Float, CultureInfo.InvariantCulture, out double real) ? real : 0.0),
        ["abs"] = (a, _) => a[0] is long whole ? (object)Math.Abs(whole) : Math.Abs(JinjaValue.AsNumber(a[0]) ?? throw new JinjaException("abs wants a number")),
        ["first"] = (a, _) => JinjaValue.Items(a[0]) is [var first, ..] ? first : new JinjaUndefined("first"),
        ["last"] = (a, _) => JinjaValue.Items(a[0]) is [.., var last] ? last : new JinjaUndefined("last"),
        ["list"] = (a, _) => JinjaValue.Items(a[0]).ToList(),
        ["reverse"] = (a, _) => a[0] is string text ? string.Concat(text.EnumerateRunes().Reverse()) : Enumerable.Reverse(JinjaValue.Items(a[0])).ToList(),
        ["unique"] = (a, _) => Unique(JinjaValue.Items(a[0])),
        ["sort"] = (a, _) => Sorted(JinjaValue.Items(a[0])),
        ["join"] = (a, n) => string.Join(JinjaValue.Text(a.Count > 1 ? a[1] : n.GetValueOrDefault("d") ?? ""), Attributes(a[0], n).Select(JinjaValue.Text)),
        ["default"] = Default,
        ["d"] = Default,
        ["map"] = Map,
        ["select"] = (a, _) => Chosen(a, 1, v => v, wanted: true),
        ["reject"] = (a, _) => Chosen(a, 1, v => v, wanted: false),
        ["selectattr"] = (a, _) => Chosen(a, 2, v => Path(v, JinjaValue.Text(At(a, 1))), wanted: true),
        ["rejectattr"] = (a, _) => Chosen(a, 2, v => Path(v, JinjaValue.Text(At(a, 1))), wanted: false),
        ["items"] = (a, _) => a[0] is JinjaMap map ? JinjaMethods.Of(map, "items")!([], []) : new List<object?>(),
        ["dictsort"] = (a, _) => a[0] is JinjaMap map ? map.OrderBy(e => e.Key, StringComparer.OrdinalIgnoreCase).Select(e => (object?)new JinjaTuple { e.Key, e.Value }).ToList() : throw new JinjaException("dictsort wants a dictionary"),
        ["tojson"] = (a, n) => JinjaJson.Write(a[0], n.GetValueOrDefault("indent"), n.GetValueOrDefault("separators")),
        ["indent"] = (a, n) => Indented(JinjaValue.Text(a[0]), a.Count > 1 ? a[1] : n.GetValueOrDefault("width"), JinjaValue.IsTrue(a.Count > 2 ? a[2] : n.GetValueOrDefault("first"))),
        ["safe"] = (a, _) => a[0],
    };

    /// <summary>A text with a capital letter and small ones behind it.</summary>
    public static string Capitalized(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    // Words are what stands between white space, hyphens and opening brackets; Python's method title() has others.
    private static string Titled(string text)
    {
        var titled = new StringBuilder();
        foreach (char c in text)
        {
            bool begins = titled.Length == 0 || char.IsWhiteSpace(titled[^1]) || titled[^1] is '-' or '(' or '{' or '[' or '<';
            titled.Append(begins ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c));
        }

        return titled.ToString();
    }

    private static long Length(object? value) => value is null or bool or long or double or JinjaCallable ? throw new JinjaException($"{JinjaValue.Kind(value)} has no length") : JinjaValue.Items(value).Count;

    private static object? Default(IReadOnlyList<object?> a, JinjaMap named)
    {
        bool orFalse = JinjaValue.IsTrue(a.Count > 2 ? a[2] : named.GetValueOrDefault("boolean"));
        return a[0] is JinjaUndefined || (orFalse && !JinjaValue.IsTrue(a[0])) ? (a.Count > 1 ? a[1] : named.GetValueOrDefault("default_value") ?? "") : a[0];
    }

    private static List<object?> Map(IReadOnlyList<object?> a, JinjaMap named)
    {
        if (named.ContainsKey("attribute"))
        {
            return [.. Attributes(a[0], named)];
        }

        JinjaCallable filter = Named(All, At(a, 1), "filter");
        return [.. JinjaValue.Items(a[0]).Select(v => filter([v, .. a.Skip(2)], named))];
    }

    private static List<object?> Chosen(IReadOnlyList<object?> a, int rest, Func<object?, object?> of, bool wanted)
    {
        JinjaCallable? test = a.Count > rest ? Named(JinjaTests.All, a[rest], "test") : null;
        return [.. JinjaValue.Items(a[0]).Where(v => JinjaValue.IsTrue(test is null ? of(v) : test([of(v), .. a.Skip(rest + 1)], [])) == wanted)];
    }

    private static IEnumerable<object?> Attributes(object? value, JinjaMap named) =>
        JinjaValue.Items(value).Select(v => named.TryGetValue("attribute", out object? name) ? Path(v, JinjaValue.Text(name)) is var found && found is JinjaUndefined && named.TryGetValue("default", out object? other) ? other : found : v);

    private static object? Path(object? value, string path) => path.Split('.').Aggregate(value, (v, name) => JinjaValue.Member(v, long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long at) ? at : name));

    private static List<object?> Sorted(List<object?> items)
    {
        try
        {
            return [.. items.Order(Comparer<object?>.Create(JinjaValue.Compare))];
        }
        catch (InvalidOperationException e) when (e.InnerException is JinjaException cannot)
        {
            throw cannot;
        }
    }

    private static List<object?> Unique(List<object?> items)
    {
        var unique = new List<object?>();
        unique.AddRange(items.Where((v, i) => items.FindIndex(other => JinjaValue.AreEqual(v, other)) == i));
        return unique;
    }

    private static string Indented(string text, object? width, bool first)
    {
        string margin = width is string given ? given : new string(' ', (int)Math.Clamp(JinjaValue.Whole(width ?? 4L), 0, 100));
        IEnumerable<string> lines = text.Split('\n').Select((line, i) => (i == 0 && !first) || line.Length == 0 ? line : margin + line);
        return string.Join('\n', lines);
    }

    private static object? At(IReadOnlyList<object?> arguments, int place) => place < arguments.Count ? arguments[place] : throw new JinjaException("a filter lacks an argument");

    private static JinjaCallable Named(IReadOnlyDictionary<string, JinjaCallable> all, object? name, string what) =>
        name is string known && all.TryGetValue(known, out JinjaCallable? found) ? found : throw new JinjaException($"there is no {what} '{JinjaValue.Text(name)}' here");
}
