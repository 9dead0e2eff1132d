namespace T2R.Server.Chat;

/// <summary>What someone said in a conversation.</summary>
/// <param name="Role">Who.</param>
/// <param name="Content">What.</param>
internal sealed record ChatMessage(ChatRole Role, string Content);
