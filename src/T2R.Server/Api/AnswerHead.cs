namespace T2R.Server.Api;

/// <summary>What an answer and all parts of a streamed one say alike.</summary>
/// <param name="Id">Tells it from others.</param>
/// <param name="Created">When it began, in seconds since 1970.</param>
/// <param name="Model">Who gave it.</param>
/// <param name="Fingerprint">Of the weights.</param>
internal sealed record AnswerHead(string Id, long Created, string Model, string Fingerprint);
