namespace T2R.Server.Chat.Jinja;

/// <summary>A template cannot be read, or cannot be rendered with what it was given.</summary>
/// <param name="message">What is wrong.</param>
internal sealed class JinjaException(string message) : Exception(message)
{
    /// <summary>Whether the template itself said so (<c>raise_exception</c>).</summary>
    public bool IsRaised { get; init; }
}
