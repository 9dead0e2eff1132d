namespace T2R.Server.Chat.Jinja;

/// <summary>Names and what they stand for; what is set inside does not reach outside.</summary>
internal sealed class JinjaScope
{
    private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);
    private readonly JinjaScope? _outer;

    /// <param name="budget">What the rendering may do.</param>
    public JinjaScope(JinjaBudget budget) => Budget = budget;

    /// <param name="outer">Where names are looked for that are not here.</param>
    public JinjaScope(JinjaScope outer) => (_outer, Budget) = (outer, outer.Budget);

    /// <summary>What the rendering may still do.</summary>
    public JinjaBudget Budget { get; }

    /// <summary>What a name stands for.</summary>
    public object? this[string name]
    {
        get
        {
            for (JinjaScope? scope = this; scope is not null; scope = scope._outer)
            {
                if (scope._values.TryGetValue(name, out object? value))
                {
                    return value;
                }
            }

            return new JinjaUndefined(name);
        }

        set => _values[name] = value;
    }
}
