using System.Globalization;
using System.Text;

namespace T2R.Server.Chat.Jinja;

/// <summary>The filters that templates may use: <c>value | name(arguments)</c>. Those that published chat templates use, and what else Jinja's documentation shows on texts and lists.</summary>
internal static class JinjaFilters
{
    private static readonly JinjaUndefined Absent = new("an argument");

    /// <summary>By name; the value is the first argument.</summary>
    public static readonly IReadOnlyDictionary<string, JinjaCallable> All = new Dictionary<string, JinjaCallable>(
    [
        JinjaCallable.Of("trim chars", (b, a) => JinjaMethods.Strip(Text(b, a[0]), a[1] is null ? null : Text(b, a[1])), defaults: [null]),
        JinjaCallable.Of("length", (b, a) => Length(b, a[0])),
        JinjaCallable.Of("string", (b, a) => Text(b, a[0])),
        JinjaCallable.Of("upper", (b, a) => Text(b, a[0]).ToUpperInvariant()),
        JinjaCallable.Of("lower", (b, a) => Text(b, a[0]).ToLowerInvariant()),
        JinjaCallable.Of("title", (b, a) => Titled(Text(b, a[0]))),
        JinjaCallable.Of("capitalize", (b, a) => JinjaMethods.Capitalized(Text(b, a[0]))),
        JinjaCallable.Of("replace old new count", (b, a) => JinjaMethods.Replaced(b, Text(b, a[0]), Text(b, a[1]), Text(b, a[2]), a[3]), defaults: [null]),
        JinjaCallable.Of("first", (b, a) => JinjaValue.Items(b, a[0]) is [var first, ..] ? first : new JinjaUndefined("first")),
        JinjaCallable.Of("last", (b, a) => JinjaValue.Items(b, a[0]) is [.., var last] ? last : new JinjaUndefined("last")),
        JinjaCallable.Of("list", (b, a) => JinjaValue.Items(b, a[0]).ToList()),
        JinjaCallable.Of("reverse", (b, a) => a[0] is string text ? string.Concat(text.EnumerateRunes().Reverse()) : Enumerable.Reverse(JinjaValue.Items(b, a[0])).ToList()),
        JinjaCallable.Of("sort reverse", (b, a) => Sorted(b, JinjaValue.Items(b, a[0]), JinjaValue.IsTrue(a[1])), false),
        JinjaCallable.Of("join d attribute", (b, a) => JinjaMethods.Joined(b, Text(b, a[1]), a[2] is null ? JinjaValue.Items(b, a[0]) : Attributes(b, a[0], a[2], Absent)), "", null),
        JinjaCallable.Of("default default_value boolean", (_, a) => a[0] is JinjaUndefined || (JinjaValue.IsTrue(a[2]) && !JinjaValue.IsTrue(a[0])) ? a[1] : a[0], "", false),
        JinjaCallable.Of("map filter attribute default", (b, a) => Mapped(b, a), Absent, Absent, Absent),
        JinjaCallable.Of("select test argument", (b, a) => Chosen(b, a[0], v => v, a[1], a[2], wanted: true), Absent, Absent),
        JinjaCallable.Of("reject test argument", (b, a) => Chosen(b, a[0], v => v, a[1], a[2], wanted: false), Absent, Absent),
        JinjaCallable.Of("selectattr attribute test argument", (b, a) => Chosen(b, a[0], v => Path(b, v, Text(b, a[1])), a[2], a[3], wanted: true), Absent, Absent),
        JinjaCallable.Of("items", (b, a) => a[0] is JinjaMap map ? JinjaMethods.Of(map, "items")!.Call(b, []) : new List<object?>()),
        JinjaCallable.Of("tojson ensure_ascii indent separators sort_keys", (b, a) => JinjaJson.Write(b, a[0], JinjaValue.IsTrue(a[1]), a[2], a[3], JinjaValue.IsTrue(a[4])), false, null, null, false),
        JinjaCallable.Of("safe", (_, a) => a[0]),
    ],
    StringComparer.Ordinal);

    private static string Text(JinjaBudget budget, object? value) => JinjaValue.Text(budget, value);

    // Words are what stands between white space, hyphens and opening brackets; Python's method title() has others.
    private static string Titled(string text)
    {
        var titled = new StringBuilder();
        char before = ' ';
        foreach (char c in text)
        {
            bool begins = char.IsWhiteSpace(before) || before is '-' or '(' or '{' or '[' or '<';
            titled.Append(begins ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c));
            before = c;
        }

        return titled.ToString();
    }

    private static long Length(JinjaBudget budget, object? value) => value switch
    {
        string text => text.EnumerateRunes().Count(),
        null or bool or long or double or JinjaCallable => throw new JinjaException($"{JinjaValue.Kind(value)} has no length"),
        _ => JinjaValue.Items(budget, value).Count,
    };

    private static List<object?> Mapped(JinjaBudget budget, object?[] a)
    {
        if (ReferenceEquals(a[1], Absent))
        {
            return [.. Attributes(budget, a[0], a[2], a[3])];
        }

        JinjaCallable filter = Named(budget, All, a[1], "filter");
        return ReferenceEquals(a[2], Absent) && ReferenceEquals(a[3], Absent)
            ? [.. JinjaValue.Items(budget, a[0]).Select(v => filter.Call(budget, [v]))]
            : throw new JinjaException("'map' takes a filter that needs no arguments, or an attribute");
    }

    private static List<object?> Chosen(JinjaBudget budget, object? value, Func<object?, object?> of, object? testName, object? argument, bool wanted)
    {
        JinjaCallable? test = ReferenceEquals(testName, Absent) ? null : Named(budget, JinjaTests.All, testName, "test");
        return [.. JinjaValue.Items(budget, value).Where(v => JinjaValue.IsTrue(test is null ? of(v) : test.Call(budget, ReferenceEquals(argument, Absent) ? [of(v)] : [of(v), argument])) == wanted)];
    }

    private static IEnumerable<object?> Attributes(JinjaBudget budget, object? value, object? name, object? other) => ReferenceEquals(name, Absent)
        ? throw new JinjaException("'map' is called without a filter or an attribute")
        : JinjaValue.Items(budget, value).Select(v => Path(budget, v, JinjaValue.Text(budget, name)) is var found && found is JinjaUndefined && !ReferenceEquals(other, Absent) ? other : found);

    private static object? Path(JinjaBudget budget, object? value, string path)
    {
        foreach (string name in path.Split('.'))
        {
            budget.Step();
            value = JinjaValue.Member(budget, value, long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long at) ? at : name);
        }

        return value;
    }

    private static List<object?> Sorted(JinjaBudget budget, List<object?> items, bool reverse)
    {
        var order = Comparer<object?>.Create((a, b) => JinjaValue.Compare(budget, a, b));
        try
        {
            return [.. reverse ? items.OrderDescending(order) : items.Order(order)];
        }
        catch (InvalidOperationException e) when (e.InnerException is JinjaException cannot)
        {
            throw cannot;
        }
    }

    private static JinjaCallable Named(JinjaBudget budget, IReadOnlyDictionary<string, JinjaCallable> all, object? name, string what) =>
        name is string known && all.TryGetValue(known, out JinjaCallable? found) ? found : throw new JinjaException($"there is no {what} '{JinjaValue.Text(budget, name)}' here");
}
