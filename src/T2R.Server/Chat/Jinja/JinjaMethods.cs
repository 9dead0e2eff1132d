namespace T2R.Server.Chat.Jinja;

/// <summary>The methods of texts and dictionaries that templates call. None changes what it is called on.</summary>
internal static class JinjaMethods
{
    // Python's white space, which a text is stripped of.
    private static readonly char[] WhiteSpace = [.. Enumerable.Range(0, 0x3001).Select(c => (char)c).Where(c => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f')];

    /// <summary>A method of a value; null if it has none of that name.</summary>
    public static JinjaCallable? Of(object? value, string name) => value switch
    {
        string text => OfText(text, name),
        JinjaMap { IsNamespace: false } map => OfMap(map, name),
        _ => null,
    };

    /// <summary>A text without white space around it.</summary>
    public static string Strip(string text, string? characters = null) => text.Trim(characters?.ToCharArray() ?? WhiteSpace);

    /// <summary>A text with a capital letter and small ones behind it.</summary>
    public static string Capitalized(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    /// <summary>Texts with another between.</summary>
    public static string Joined(JinjaBudget budget, string between, IEnumerable<object?> items)
    {
        string[] texts = [.. items.Select(i => JinjaValue.Text(budget, i))];
        budget.Use(texts.Sum(t => (long)t.Length) + ((long)between.Length * texts.Length));
        return string.Join(between, texts);
    }

    /// <summary>A text with another in place of a part of it.</summary>
    /// <param name="budget">Pays for it.</param>
    /// <param name="text">The text.</param>
    /// <param name="from">The part, wherever it is.</param>
    /// <param name="to">The other.</param>
    /// <param name="times">How often at most, from the beginning; null or negative for no limit.</param>
    public static string Replaced(JinjaBudget budget, string text, string from, string to, object? times)
    {
        if (from.Length == 0)
        {
            throw new JinjaException("replace is called with an empty text to look for");
        }

        long most = times is null ? -1 : JinjaValue.Whole(times);
        long found = Math.Min(text.AsSpan().Count(from), most < 0 ? long.MaxValue : most);
        budget.Use(text.Length + (found * to.Length));
        if (most < 0)
        {
            return text.Replace(from, to, StringComparison.Ordinal);
        }

        string[] parts = text.Split(from, (int)found + 1);
        return string.Join(to, parts);
    }

    private static JinjaCallable? OfText(string text, string name)
    {
        return name switch
        {
            "strip" => Method(["chars"], (_, a) => Strip(text, Optional(a[0])), [null]),
            "lstrip" => Method(["chars"], (_, a) => text.TrimStart(Optional(a[0])?.ToCharArray() ?? WhiteSpace), [null]),
            "rstrip" => Method(["chars"], (_, a) => text.TrimEnd(Optional(a[0])?.ToCharArray() ?? WhiteSpace), [null]),
            "upper" => Method([], (_, _) => text.ToUpperInvariant()),
            "lower" => Method([], (_, _) => text.ToLowerInvariant()),
            "title" => Method([], (_, _) => Title(text)),
            "capitalize" => Method([], (_, _) => Capitalized(text)),
            "startswith" => Method(["prefix"], (b, a) => Choices(b, text, a[0]).Any(c => text.StartsWith(c, StringComparison.Ordinal))),
            "endswith" => Method(["suffix"], (b, a) => Choices(b, text, a[0]).Any(c => text.EndsWith(c, StringComparison.Ordinal))),
            "replace" => Method(["old", "new", "count"], (b, a) => Replaced(b, text, Required(a[0]), Required(a[1]), a[2]), [-1L]),
            "split" => Method(["sep", "maxsplit"], (b, a) => Split(b, text, Optional(a[0]), JinjaValue.Whole(a[1])), [null, -1L]),
            "join" => Method(["iterable"], (b, a) => Joined(b, text, JinjaValue.Items(b, a[0]))),
            _ => null,
        };

        JinjaCallable Method(string[] parameters, Func<JinjaBudget, object?[], object?> body, object?[]? defaults = null) => OfValue(text, name, parameters, body, defaults);
    }

    private static JinjaCallable? OfMap(JinjaMap map, string name) => name switch
    {
        "items" => OfValue(map, name, [], (_, _) => map.Select(e => (object?)new JinjaTuple { e.Key, e.Value }).ToList()),
        "keys" => OfValue(map, name, [], (_, _) => map.Keys.Cast<object?>().ToList()),
        "get" => new JinjaCallable("'get'", ["key", "default"], [null], (_, a) => map.TryGetValue(Required(a[0]), out object? value) ? value : a[1]),
        _ => null,
    };

    private static string Title(string text)
    {
        char[] title = text.ToCharArray();
        for (int i = 0; i < title.Length; i++)
        {
            title[i] = i > 0 && char.IsLetter(title[i - 1]) ? char.ToLowerInvariant(title[i]) : char.ToUpperInvariant(title[i]);
        }

        return new string(title);
    }

    private static List<object?> Split(JinjaBudget budget, string text, string? separator, long most)
    {
        int count = most < 0 ? int.MaxValue : (int)Math.Min(most, int.MaxValue - 1) + 1;
        if (separator is not null)
        {
            budget.Use(JinjaBudget.Operation * (long)text.AsSpan().Count(separator.Length > 0 ? separator : throw new JinjaException("split is called with an empty separator")));
            return [.. text.Split(separator, count)];
        }

        var parts = new List<object?>();
        ReadOnlySpan<char> rest = text.AsSpan().TrimStart(WhiteSpace);
        while (rest.Length > 0)
        {
            budget.Use(JinjaBudget.Operation);
            int end = parts.Count + 1 >= count ? -1 : rest.IndexOfAny(WhiteSpace);
            parts.Add((end >= 0 ? rest[..end] : most < 0 ? rest.TrimEnd(WhiteSpace) : rest).ToString());
            rest = end < 0 ? default : rest[end..].TrimStart(WhiteSpace);
        }

        return parts;
    }

    private static IEnumerable<string> Choices(JinjaBudget budget, string text, object? choices)
    {
        foreach (object? choice in choices is List<object?> several ? several : [choices])
        {
            budget.Use(text.Length);
            yield return Required(choice);
        }
    }

    private static string? Optional(object? argument) => argument is null ? null : Required(argument);

    private static string Required(object? argument) => argument as string ?? throw new JinjaException("a method of a text is called without a text where it wants one");

    private static JinjaCallable OfValue(object value, string name, string[] parameters, Func<JinjaBudget, object?[], object?> body, object?[]? defaults = null) =>
        new($"'{name}'", parameters, defaults ?? [], (budget, arguments) =>
        {
            budget.Use(value);
            return body(budget, arguments);
        });
}
