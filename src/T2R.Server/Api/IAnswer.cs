using T2R.Generation.Serving;

namespace T2R.Server.Api;

/// <summary>How an endpoint words what is generated. Its objects are written with <see cref="ApiJson"/>.</summary>
internal interface IAnswer
{
    /// <summary>A part of a stream: what tokens add to a choice.</summary>
    /// <param name="choice">The choice.</param>
    /// <param name="tokens">The tokens; none at the beginning and the end.</param>
    /// <param name="end">Why it ended; null while it has not.</param>
    /// <returns>Null if there is nothing to say.</returns>
    object? Part(AnswerChoice choice, IReadOnlyList<GenerationToken> tokens, FinishReason? end);

    /// <summary>The end of a stream whose client wants to know what it took.</summary>
    object Took(Usage usage);

    /// <summary>The answer as one, its choices by index.</summary>
    object Whole(IReadOnlyList<(AnswerChoice Choice, IReadOnlyList<GenerationToken> Tokens, FinishReason End)> choices, Usage usage);
}
