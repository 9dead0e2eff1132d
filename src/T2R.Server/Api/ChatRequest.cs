using System.Text.Json;
using T2R.Server.Chat;
using T2R.Server.Prompts;

namespace T2R.Server.Api;

/// <summary>Reads what is sent to <c>/v1/chat/completions</c>.</summary>
internal static class ChatRequest
{
    private static readonly Dictionary<string, ChatRole> Roles = new(StringComparer.Ordinal)
    {
        ["system"] = ChatRole.System,
        ["developer"] = ChatRole.System,
        ["user"] = ChatRole.User,
        ["assistant"] = ChatRole.Assistant,
    };

    /// <exception cref="ApiException">Something in it is wrong; all that is, at once.</exception>
    public static ApiRequest Read(JsonElement json, ServedModel model, ServerOptions options)
    {
        if (model.Template is not { } template)
        {
            throw ApiException.Invalid(
                $"The model '{model.Name}' has no chat template that can be used here, so it does not chat; use /v1/completions, or start the server with --chat-template.",
                "chat_not_supported");
        }

        var fields = new RequestFields(json);
        var generation = new GenerationFields(fields, model, options);
        Prompt? prompt = Conversation(fields, model, template);
        generation.Read(template.Stops);
        generation.SetMaxNewTokens(["max_completion_tokens", "max_tokens"], int.MaxValue);
        int? likeliest = fields.Whole("top_logprobs");
        generation.Set<int>("top_logprobs", fields.Flag("logprobs") ? likeliest ?? 0 : null, (r, value) => r with { LogProbabilities = value });
        int choices = generation.Choices(1);
        bool stream = fields.Flag("stream");
        fields.Refuse("tools", IsEmpty, "the model calls no tools");
        fields.Refuse("functions", IsEmpty, "the model calls no functions");
        fields.Refuse("response_format", f => f.ValueKind == JsonValueKind.Object && f.TryGetProperty("type", out JsonElement type) && type.ValueEquals("text"), "answers are plain text");
        var request = new ApiRequest(
            fields.Text("model"), prompt is null ? [] : [prompt], choices, generation.IsSeeded, generation.Request, stream, generation.IncludeUsage(), generation.SessionId(choices));
        fields.ThrowIfAny();
        return request;
    }

    private static bool IsEmpty(JsonElement value) => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0;

    private static Prompt? Conversation(RequestFields fields, ServedModel model, ChatTemplate template)
    {
        if (fields.Find("messages") is not { } json)
        {
            fields.Add("messages", "'messages' is missing; expected an array of messages, such as {\"role\": \"user\", \"content\": \"Hello\"}.");
            return null;
        }

        if (json.ValueKind != JsonValueKind.Array || json.GetArrayLength() == 0)
        {
            return fields.Wrong<Prompt>("messages", json, "an array of at least one message");
        }

        var messages = new List<ChatMessage>();
        foreach (JsonElement message in json.EnumerateArray())
        {
            if (Message(fields, message, $"messages[{messages.Count}]") is not { } read)
            {
                return null;
            }

            messages.Add(read);
        }

        PromptWriter writer = model.Writer();
        bool isWritten = fields.Passes("messages", problems => problems.Try(() => template.Write(messages, writer)));
        return isWritten ? writer.Finish() : null;
    }

    private static ChatMessage? Message(RequestFields fields, JsonElement json, string place)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            return fields.Wrong<ChatMessage>(place, json, "an object with 'role' and 'content'");
        }

        var message = new RequestFields(json);
        string role = message.Text("role") ?? "";
        if (!Roles.ContainsKey(role))
        {
            message.Add("role", $"'role' is missing or none of {string.Join(", ", Roles.Keys)}.");
        }

        message.Refuse("tool_calls", IsEmpty, "the model calls no tools");
        string? content = Content(message);
        fields.Take(place, message);
        return content is null || !Roles.TryGetValue(role, out ChatRole who) ? null : new ChatMessage(who, content);
    }

    // A text, or parts that are texts.
    private static string? Content(RequestFields message)
    {
        if (message.Find("content") is not { } content)
        {
            message.Add("content", "'content' is missing; expected a text.");
            return null;
        }

        if (content.ValueKind == JsonValueKind.String)
        {
            return content.GetString();
        }

        if (content.ValueKind != JsonValueKind.Array)
        {
            return message.Wrong<string>("content", content, "a text or an array of parts");
        }

        var texts = new List<string>();
        foreach (JsonElement part in content.EnumerateArray())
        {
            if (part.ValueKind != JsonValueKind.Object || !part.TryGetProperty("type", out JsonElement type) || !type.ValueEquals("text")
                || !part.TryGetProperty("text", out JsonElement text) || text.ValueKind != JsonValueKind.String)
            {
                message.Add("content", "'content' has a part that is not a text; expected {\"type\": \"text\", \"text\": \"...\"} alone.");
                return null;
            }

            texts.Add(text.GetString()!);
        }

        return string.Concat(texts);
    }
}
