namespace T2R.Server.Chat.Jinja;

/// <summary>What stands between a call's brackets.</summary>
/// <param name="Given">By place.</param>
/// <param name="Named">By name.</param>
internal sealed record JinjaArguments(IReadOnlyList<JinjaExpression> Given, IReadOnlyList<(string Name, JinjaExpression Value)> Named)
{
    /// <summary>No arguments.</summary>
    public static readonly JinjaArguments None = new([], []);

    /// <summary>The names of those that have one.</summary>
    public IReadOnlyCollection<string> Names => [.. Named.Select(n => n.Name)];

    /// <summary>Calls something with them.</summary>
    public object? Call(JinjaCallable callable, JinjaScope scope)
    {
        object?[] given = [.. Given.Select(g => g(scope))];
        return callable.Call(scope.Budget, given, Map(scope));
    }

    /// <summary>Calls a filter or a test, whose value comes first.</summary>
    public object? Call(JinjaCallable callable, object? value, JinjaScope scope)
    {
        object?[] given = [value, .. Given.Select(g => g(scope))];
        return callable.Call(scope.Budget, given, Map(scope));
    }

    private JinjaMap? Map(JinjaScope scope)
    {
        if (Named.Count == 0)
        {
            return null;
        }

        var map = new JinjaMap();
        foreach ((string name, JinjaExpression value) in Named)
        {
            map[name] = value(scope);
        }

        return map;
    }
}
