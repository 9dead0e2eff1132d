namespace T2R.Server.Chat.Jinja;

/// <summary>What a loop's body knows of the loop: <c>loop</c>.</summary>
internal static class JinjaLoop
{
    /// <summary>Of an element.</summary>
    public static JinjaMap At(List<object?> items, int index) => new()
    {
        ["index"] = index + 1L,
        ["index0"] = (long)index,
        ["revindex"] = (long)(items.Count - index),
        ["revindex0"] = items.Count - index - 1L,
        ["first"] = index == 0,
        ["last"] = index == items.Count - 1,
        ["length"] = (long)items.Count,
        ["previtem"] = index > 0 ? items[index - 1] : new JinjaUndefined("previtem"),
        ["nextitem"] = index + 1 < items.Count ? items[index + 1] : new JinjaUndefined("nextitem"),
    };
}
