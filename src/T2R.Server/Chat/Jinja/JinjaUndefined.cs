namespace T2R.Server.Chat.Jinja;

/// <summary>What a name stands for that stands for nothing: writes nothing, is false, and has nothing inside.</summary>
/// <param name="Name">The name.</param>
internal sealed record JinjaUndefined(string Name);
