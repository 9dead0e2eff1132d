namespace T2R.Server.Api;

/// <summary>How the server is.</summary>
/// <param name="Status"><c>ok</c>, or <c>closed</c> if it takes no more requests: it is stopping, or the model has failed.</param>
internal sealed record HealthBody(string Status);
