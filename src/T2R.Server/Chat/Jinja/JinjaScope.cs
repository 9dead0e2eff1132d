namespace T2R.Server.Chat.Jinja;

/// <summary>Names and what they stand for; what is set inside does not reach outside.</summary>
/// <param name="outer">Where names are looked for that are not here.</param>
internal sealed class JinjaScope(JinjaScope? outer = null)
{
    private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);

    /// <summary>What a name stands for.</summary>
    public object? this[string name]
    {
        get
        {
            for (JinjaScope? scope = this; scope is not null; scope = scope.Outer)
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

    private JinjaScope? Outer => outer;
}
