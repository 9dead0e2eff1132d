namespace T2R.Server.Chat.Jinja;

/// <summary>Has a value.</summary>
/// <param name="scope">What names stand for.</param>
internal delegate object? JinjaExpression(JinjaScope scope);
