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

    private static JinjaCallable? OfText(string text, string name) => name switch
    {
        "strip" => (a, _) => Strip(text, Argument(a, 0)),
        "lstrip" => (a, _) => text.TrimStart(Argument(a, 0)?.ToCharArray() ?? WhiteSpace),
        "rstrip" => (a, _) => text.TrimEnd(Argument(a, 0)?.ToCharArray() ?? WhiteSpace),
        "upper" => (_, _) => text.ToUpperInvariant(),
        "lower" => (_, _) => text.ToLowerInvariant(),
        "title" => (_, _) => Title(text),
        "capitalize" => (_, _) => JinjaFilters.Capitalized(text),
        "startswith" => (a, _) => Choices(a).Any(c => text.StartsWith(c, StringComparison.Ordinal)),
        "endswith" => (a, _) => Choices(a).Any(c => text.EndsWith(c, StringComparison.Ordinal)),
        "replace" => (a, _) => Replaced(text, Required(a, 0), Required(a, 1), a.Count > 2 ? JinjaValue.Whole(a[2]) : -1),
        "split" => (a, named) => Split(text, Argument(a, 0), a.Count > 1 ? JinjaValue.Whole(a[1]) : named.TryGetValue("maxsplit", out object? most) ? JinjaValue.Whole(most) : -1),
        "find" => (a, _) => (long)text.IndexOf(Required(a, 0), StringComparison.Ordinal),
        "count" => (a, _) => (long)text.AsSpan().Count(Required(a, 0)),
        "join" => (a, _) => string.Join(text, JinjaValue.Items(a.Count > 0 ? a[0] : null).Select(JinjaValue.Text)),
        "isdigit" => (_, _) => text.Length > 0 && text.All(char.IsDigit),
        _ => null,
    };

    private static JinjaCallable? OfMap(JinjaMap map, string name) => name switch
    {
        "items" => (_, _) => map.Select(e => (object?)new JinjaTuple { e.Key, e.Value }).ToList(),
        "keys" => (_, _) => map.Keys.Cast<object?>().ToList(),
        "values" => (_, _) => map.Values.ToList(),
        "get" => (a, _) => map.TryGetValue(Required(a, 0), out object? value) ? value : a.Count > 1 ? a[1] : null,
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

    /// <summary>A text with another in place of a part of it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="from">The part, wherever it is.</param>
    /// <param name="to">The other.</param>
    /// <param name="times">How often at most, from the beginning; negative for no limit.</param>
    public static string Replaced(string text, string from, string to, long times)
    {
        if (times < 0 && from.Length > 0)
        {
            return text.Replace(from, to, StringComparison.Ordinal);
        }

        if (from.Length == 0)
        {
            throw new JinjaException("replace is called with an empty text to look for");
        }

        int done = 0;
        while (times-- > 0 && text.IndexOf(from, done, StringComparison.Ordinal) is >= 0 and var at)
        {
            text = string.Concat(text.AsSpan(0, at), to, text.AsSpan(at + from.Length));
            done = at + to.Length;
        }

        return text;
    }

    private static List<object?> Split(string text, string? separator, long most)
    {
        int count = most < 0 ? int.MaxValue : (int)Math.Min(most, int.MaxValue - 1) + 1;
        if (separator is not null)
        {
            return separator.Length > 0 ? [.. text.Split(separator, count)] : throw new JinjaException("split is called with an empty separator");
        }

        var parts = new List<object?>();
        string rest = text.TrimStart(WhiteSpace);
        while (rest.Length > 0)
        {
            int end = parts.Count + 1 >= count ? -1 : rest.IndexOfAny(WhiteSpace);
            parts.Add(end >= 0 ? rest[..end] : most < 0 ? rest.TrimEnd(WhiteSpace) : rest);
            rest = end < 0 ? "" : rest[end..].TrimStart(WhiteSpace);
        }

        return parts;
    }

    private static IEnumerable<string> Choices(IReadOnlyList<object?> arguments) => arguments is [List<object?> several] ? several.Select(JinjaValue.Text) : [Required(arguments, 0)];

    private static string? Argument(IReadOnlyList<object?> arguments, int place) => place < arguments.Count && arguments[place] is not null ? Required(arguments, place) : null;

    private static string Required(IReadOnlyList<object?> arguments, int place) =>
        place < arguments.Count && arguments[place] is string text ? text : throw new JinjaException("a method of a text is called without a text where it wants one");
}
