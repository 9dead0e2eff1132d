namespace T2R.Server.Chat.Jinja;

/// <summary>The tests that templates may make: <c>value is name</c>.</summary>
internal static class JinjaTests
{
    private static readonly Func<JinjaBudget, object?[], object?> Equal = (b, a) => JinjaValue.AreEqual(b, a[0], a[1]);
    private static readonly Func<JinjaBudget, object?[], object?> Unequal = (b, a) => !JinjaValue.AreEqual(b, a[0], a[1]);

    /// <summary>By name; the value is the first argument.</summary>
    public static readonly IReadOnlyDictionary<string, JinjaCallable> All = new Dictionary<string, JinjaCallable>(
    [
        JinjaCallable.Of("defined", (_, a) => a[0] is not JinjaUndefined),
        JinjaCallable.Of("undefined", (_, a) => a[0] is JinjaUndefined),
        JinjaCallable.Of("none", (_, a) => a[0] is null),
        JinjaCallable.Of("string", (_, a) => a[0] is string),
        JinjaCallable.Of("number", (_, a) => JinjaValue.AsNumber(a[0]) is not null),
        JinjaCallable.Of("boolean", (_, a) => a[0] is bool),
        JinjaCallable.Of("true", (_, a) => a[0] is true),
        JinjaCallable.Of("false", (_, a) => a[0] is false),
        JinjaCallable.Of("mapping", (_, a) => a[0] is JinjaMap { IsNamespace: false }),
        JinjaCallable.Of("sequence", (_, a) => a[0] is string or List<object?> or JinjaMap { IsNamespace: false } or JinjaUndefined),
        JinjaCallable.Of("iterable", (_, a) => a[0] is string or List<object?> or JinjaMap { IsNamespace: false } or JinjaUndefined),
        JinjaCallable.Of("odd", (_, a) => JinjaValue.Whole(a[0]) % 2 != 0),
        JinjaCallable.Of("even", (_, a) => JinjaValue.Whole(a[0]) % 2 == 0),
        JinjaCallable.Of("in seq", (b, a) => JinjaValue.Contains(b, a[1], a[0])),
        JinjaCallable.Of("equalto other", Equal),
        JinjaCallable.Of("eq other", Equal),
        JinjaCallable.Of("== other", Equal),
        JinjaCallable.Of("ne other", Unequal),
        JinjaCallable.Of("!= other", Unequal),
    ],
    StringComparer.Ordinal);
}
