namespace T2R.Server.Chat;

/// <summary>Who speaks in a conversation.</summary>
internal enum ChatRole
{
    /// <summary>Says how to answer.</summary>
    System,

    /// <summary>Asks.</summary>
    User,

    /// <summary>The model, which answers.</summary>
    Assistant,
}
