namespace T2R.Server.Chat.Jinja;

/// <summary>A function, a macro or a method.</summary>
/// <param name="arguments">By place.</param>
/// <param name="named">By name.</param>
internal delegate object? JinjaCallable(IReadOnlyList<object?> arguments, JinjaMap named);
