namespace T2R.Bench;

/// <summary>What was to be timed does not compute what it should.</summary>
/// <param name="message">Which result, how far off, and where the bar is.</param>
public sealed class WrongResultException(string message) : Exception(message);
