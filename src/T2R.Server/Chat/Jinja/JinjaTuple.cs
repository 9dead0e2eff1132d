namespace T2R.Server.Chat.Jinja;

/// <summary>A list that is written in round brackets.</summary>
internal sealed class JinjaTuple : List<object?>;
