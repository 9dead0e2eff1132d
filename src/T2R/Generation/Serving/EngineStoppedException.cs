namespace T2R.Generation.Serving;

/// <summary>An engine takes no more requests: it is being stopped, or its decoder has failed for good.</summary>
/// <param name="message">Which of them.</param>
/// <param name="inner">What the decoder threw, if it has failed.</param>
public sealed class EngineStoppedException(string message, Exception? inner = null) : Exception(message, inner);
