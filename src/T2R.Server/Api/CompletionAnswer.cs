using System.Text.Json.Serialization;
using T2R.Generation.Serving;

namespace T2R.Server.Api;

/// <summary>The words of <c>/v1/completions</c>.</summary>
/// <param name="head">What all parts say.</param>
/// <param name="names">Of tokens.</param>
internal sealed class CompletionAnswer(AnswerHead head, TokenNames names) : IAnswer
{
    public object? Part(AnswerChoice choice, IReadOnlyList<GenerationToken> tokens, FinishReason? end)
    {
        CompletionChoice worded = Word(choice, tokens, end);
        return worded.Text.Length > 0 || worded.Logprobs is not null || end is not null ? Answer([worded], null) : null;
    }

    public object Took(Usage usage) => Answer([], usage);

    public object Whole(IReadOnlyList<(AnswerChoice Choice, IReadOnlyList<GenerationToken> Tokens, FinishReason End)> choices, Usage usage) =>
        Answer([.. choices.Select(c => Word(c.Choice, c.Tokens, c.End))], usage);

    private CompletionBody Answer(IReadOnlyList<CompletionChoice> choices, Usage? usage) => new(head.Id, "text_completion", head.Created, head.Model, head.Fingerprint, choices, usage);

    private CompletionChoice Word(AnswerChoice choice, IReadOnlyList<GenerationToken> tokens, FinishReason? end)
    {
        var offsets = new List<int>(tokens.Count);
        foreach (GenerationToken token in tokens)
        {
            offsets.Add(choice.TextLength);
            choice.TextLength += token.Text.EnumerateRunes().Count();
        }

        bool hasLogProbabilities = tokens.Any(t => t.Likeliest is not null || t.LogProbability is not null);
        return new CompletionChoice(
            choice.Index,
            string.Concat(tokens.Select(t => t.Text)),
            hasLogProbabilities ? LogProbabilities(tokens, offsets) : null,
            FinishReasonName.Of(end));
    }

    private CompletionLogProbabilities LogProbabilities(IReadOnlyList<GenerationToken> tokens, IReadOnlyList<int> offsets) => new(
        [.. tokens.Select(t => names[t.Id])],
        [.. tokens.Select(t => TokenNames.Finite(t.LogProbability))],
        [.. tokens.Select(t => t.LogProbability is null ? null : TokenNames.WithTaken(t).ToDictionary(l => names[l.Id], l => TokenNames.Finite(l.LogProbability)!.Value))],
        offsets);
}

internal sealed record CompletionBody(
    string Id,
    string Object,
    long Created,
    string Model,
    string SystemFingerprint,
    IReadOnlyList<CompletionChoice> Choices,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Usage? Usage);

internal sealed record CompletionChoice(int Index, string Text, CompletionLogProbabilities? Logprobs, string? FinishReason);

internal sealed record CompletionLogProbabilities(
    IReadOnlyList<string> Tokens, IReadOnlyList<double?> TokenLogprobs, IReadOnlyList<Dictionary<string, double>?> TopLogprobs, IReadOnlyList<int> TextOffset);
