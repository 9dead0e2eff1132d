namespace T2R.Server.Chat.Jinja;

/// <summary>The tests that templates may make: <c>value is name</c>.</summary>
internal static class JinjaTests
{
    /// <summary>By name; the value is the first argument.</summary>
    public static readonly IReadOnlyDictionary<string, JinjaCallable> All = new Dictionary<string, JinjaCallable>(StringComparer.Ordinal)
    {
        ["defined"] = (a, _) => a[0] is not JinjaUndefined,
        ["undefined"] = (a, _) => a[0] is JinjaUndefined,
        ["none"] = (a, _) => a[0] is null,
        ["string"] = (a, _) => a[0] is string,
        ["number"] = (a, _) => JinjaValue.AsNumber(a[0]) is not null,
        ["integer"] = (a, _) => a[0] is long,
        ["float"] = (a, _) => a[0] is double,
        ["boolean"] = (a, _) => a[0] is bool,
        ["true"] = (a, _) => a[0] is true,
        ["false"] = (a, _) => a[0] is false,
        ["mapping"] = (a, _) => a[0] is JinjaMap { IsNamespace: false },
        ["sequence"] = (a, _) => a[0] is string or List<object?> or JinjaMap { IsNamespace: false } or JinjaUndefined,
        ["iterable"] = (a, _) => a[0] is string or List<object?> or JinjaMap { IsNamespace: false } or JinjaUndefined,
        ["callable"] = (a, _) => a[0] is JinjaCallable,
        ["odd"] = (a, _) => JinjaValue.Whole(a[0]) % 2 != 0,
        ["even"] = (a, _) => JinjaValue.Whole(a[0]) % 2 == 0,
        ["divisibleby"] = (a, _) => JinjaValue.IsTrue(JinjaOperators.Of("%", a[0], At(a, 1))) == false,
        ["in"] = (a, _) => JinjaValue.Contains(At(a, 1), a[0]),
        ["equalto"] = (a, _) => JinjaValue.AreEqual(a[0], At(a, 1)),
        ["eq"] = (a, _) => JinjaValue.AreEqual(a[0], At(a, 1)),
        ["=="] = (a, _) => JinjaValue.AreEqual(a[0], At(a, 1)),
        ["ne"] = (a, _) => !JinjaValue.AreEqual(a[0], At(a, 1)),
        ["!="] = (a, _) => !JinjaValue.AreEqual(a[0], At(a, 1)),
        ["lt"] = (a, _) => JinjaValue.Compare(a[0], At(a, 1)) < 0,
        ["le"] = (a, _) => JinjaValue.Compare(a[0], At(a, 1)) <= 0,
        ["gt"] = (a, _) => JinjaValue.Compare(a[0], At(a, 1)) > 0,
        ["ge"] = (a, _) => JinjaValue.Compare(a[0], At(a, 1)) >= 0,
    };

    private static object? At(IReadOnlyList<object?> arguments, int place) => place < arguments.Count ? arguments[place] : throw new JinjaException("a test lacks an argument");
}
