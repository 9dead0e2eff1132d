namespace T2R.Generation.Serving;

/// <summary>An engine has as many requests waiting as it was given room for; try again later.</summary>
/// <param name="waiting">How many wait.</param>
public sealed class QueueFullException(int waiting) : Exception($"{waiting} requests wait already, as many as there is room for; try again later.");
