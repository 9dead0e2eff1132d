namespace T2R.Server.Chat.Jinja;

/// <summary>The function <c>namespace</c>, which takes arguments of any names.</summary>
internal sealed class JinjaNamespace() : JinjaCallable("'namespace'", ["first"], [], (_, _) => null)
{
    /// <inheritdoc/>
    public override object? Call(JinjaBudget budget, IReadOnlyList<object?> given, JinjaMap? named = null)
    {
        var space = new JinjaMap { IsNamespace = true };
        foreach (JinjaMap? part in (JinjaMap?[])[given is [var first, ..] ? first as JinjaMap : null, named])
        {
            budget.Use(part);
            foreach ((string name, object? value) in part ?? [])
            {
                space[name] = value;
            }
        }

        return space;
    }
}
