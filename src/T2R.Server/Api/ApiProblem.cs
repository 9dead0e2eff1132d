namespace T2R.Server.Api;

/// <summary>One thing that is wrong with a request.</summary>
/// <param name="Field">The field that holds it; null if none does.</param>
/// <param name="Sentence">What was found, what was expected and what to do.</param>
internal sealed record ApiProblem(string? Field, string Sentence);
