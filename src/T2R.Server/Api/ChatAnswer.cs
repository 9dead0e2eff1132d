using System.Text.Json.Serialization;
using T2R.Generation.Serving;

namespace T2R.Server.Api;

/// <summary>The words of <c>/v1/chat/completions</c>.</summary>
/// <param name="head">What all parts say.</param>
/// <param name="names">Of tokens.</param>
/// <param name="dropsSpace">Whether a space before an answer is not the answer's: the tokenizer puts one before each text.</param>
internal sealed class ChatAnswer(AnswerHead head, TokenNames names, bool dropsSpace) : IAnswer
{
    public object? Part(AnswerChoice choice, IReadOnlyList<GenerationToken> tokens, FinishReason? end)
    {
        bool begins = tokens.Count == 0 && end is null;
        string content = Content(choice, tokens);
        ChatLogProbabilities? logProbabilities = LogProbabilities(tokens);
        if (!begins && content.Length == 0 && logProbabilities is null && end is null)
        {
            return null;
        }

        var delta = new ChatDelta(begins ? "assistant" : null, begins || content.Length > 0 ? content : null);
        return Part([new ChatPartChoice(choice.Index, delta, logProbabilities, FinishReasonName.Of(end))], null);
    }

    public object Took(Usage usage) => Part([], usage);

    public object Whole(IReadOnlyList<(AnswerChoice Choice, IReadOnlyList<GenerationToken> Tokens, FinishReason End)> choices, Usage usage) => new ChatBody(
        head.Id,
        "chat.completion",
        head.Created,
        head.Model,
        head.Fingerprint,
        [.. choices.Select(c => new ChatChoice(c.Choice.Index, new ChatText("assistant", Content(c.Choice, c.Tokens), null), LogProbabilities(c.Tokens), FinishReasonName.Of(c.End)))],
        usage);

    private ChatPart Part(IReadOnlyList<ChatPartChoice> choices, Usage? usage) => new(head.Id, "chat.completion.chunk", head.Created, head.Model, head.Fingerprint, choices, usage);

    private string Content(AnswerChoice choice, IReadOnlyList<GenerationToken> tokens)
    {
        string content = string.Concat(tokens.Select(t => t.Text));
        if (content.Length > 0 && !choice.HasBegun)
        {
            choice.HasBegun = true;
            return dropsSpace && content[0] == ' ' ? content[1..] : content;
        }

        return content;
    }

    private ChatLogProbabilities? LogProbabilities(IReadOnlyList<GenerationToken> tokens) => tokens.Any(t => t.LogProbability is not null)
        ? new([.. tokens.Select(t => new ChatToken(names[t.Id], TokenNames.Finite(t.LogProbability) ?? 0, names.Bytes(t.Id), [.. (t.Likeliest ?? []).Select(Likely)]))])
        : null;

    private ChatLikelyToken Likely(LikelyToken token) => new(names[token.Id], TokenNames.Finite(token.LogProbability)!.Value, names.Bytes(token.Id));
}

internal sealed record ChatBody(string Id, string Object, long Created, string Model, string SystemFingerprint, IReadOnlyList<ChatChoice> Choices, Usage Usage);

internal sealed record ChatChoice(int Index, ChatText Message, ChatLogProbabilities? Logprobs, string? FinishReason);

internal sealed record ChatText(string Role, string Content, string? Refusal);

internal sealed record ChatPart(
    string Id,
    string Object,
    long Created,
    string Model,
    string SystemFingerprint,
    IReadOnlyList<ChatPartChoice> Choices,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Usage? Usage);

internal sealed record ChatPartChoice(int Index, ChatDelta Delta, ChatLogProbabilities? Logprobs, string? FinishReason);

internal sealed record ChatDelta(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Role, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Content);

internal sealed record ChatLogProbabilities(IReadOnlyList<ChatToken> Content);

internal sealed record ChatToken(string Token, double Logprob, int[]? Bytes, IReadOnlyList<ChatLikelyToken> TopLogprobs);

internal sealed record ChatLikelyToken(string Token, double Logprob, int[]? Bytes);
