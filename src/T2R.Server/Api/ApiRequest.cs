using T2R.Generation.Serving;
using T2R.Server.Prompts;

namespace T2R.Server.Api;

/// <summary>What a client asks for, whichever way it asks.</summary>
/// <param name="Model">The model it names; null for the one there is.</param>
/// <param name="Prompts">What is to be continued, each <paramref name="ChoicesPerPrompt"/> times.</param>
/// <param name="ChoicesPerPrompt"><c>n</c>; the seeds of a prompt's choices follow each other.</param>
/// <param name="IsSeeded">Whether the client gave the seed: then each prompt's choices are what they would be alone. Otherwise no two choices of a request draw alike.</param>
/// <param name="Generation">How each is continued; its prompt is not set.</param>
/// <param name="Stream">Whether tokens are sent as they come.</param>
/// <param name="IncludeUsage">Whether a stream ends with its usage.</param>
/// <param name="SessionId">The session whose state it may go on from; null for none.</param>
internal sealed record ApiRequest(
    string? Model, IReadOnlyList<Prompt> Prompts, int ChoicesPerPrompt, bool IsSeeded, GenerationRequest Generation, bool Stream, bool IncludeUsage, string? SessionId);
