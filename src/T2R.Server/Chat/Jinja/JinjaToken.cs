namespace T2R.Server.Chat.Jinja;

/// <summary>A token of a template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Value">Its text.</param>
/// <param name="Line">Where it begins, from 1.</param>
internal readonly record struct JinjaToken(JinjaTokenKind Kind, string Value, int Line);
