namespace T2R.Server.Chat.Jinja;

/// <summary>A dictionary, in the order its keys came.</summary>
internal sealed class JinjaMap : OrderedDictionary<string, object?>
{
    /// <summary>Whether a template may set what is in it: a <c>namespace</c>.</summary>
    public bool IsNamespace { get; init; }
}
