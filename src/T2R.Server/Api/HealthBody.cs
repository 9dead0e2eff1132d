namespace T2R.Server.Api;

/// <summary>How the server is.</summary>
/// <param name="Status"><c>ok</c> or <c>stopping</c>.</param>
internal sealed record HealthBody(string Status);
