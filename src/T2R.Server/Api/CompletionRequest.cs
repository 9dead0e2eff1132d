using System.Text.Json;
using T2R.Server.Prompts;
using T2R.Tokenization;

namespace T2R.Server.Api;

/// <summary>Reads what is sent to <c>/v1/completions</c>.</summary>
internal static class CompletionRequest
{
    private const int DefaultNewTokens = 16;

    /// <exception cref="ApiException">Something in it is wrong; all that is, at once.</exception>
    public static ApiRequest Read(JsonElement json, ServedModel model, ServerOptions options)
    {
        var fields = new RequestFields(json);
        var generation = new GenerationFields(fields, model, options);
        List<Prompt> prompts = Prompts(fields, model);
        generation.Read([]);
        generation.SetMaxNewTokens(["max_tokens"], DefaultNewTokens);
        generation.Set("logprobs", fields.Whole("logprobs"), (r, value) => r with { LogProbabilities = value });
        bool echo = fields.Flag("echo"), stream = fields.Flag("stream");

        // Who measures a text by its log-probabilities expects one token behind it, be it the end of the text.
        generation.Set<bool>("echo", echo, (r, value) => r with { Echo = value, IgnoreEos = value && r.LogProbabilities is not null && r.MaxNewTokens == 1 });
        int choices = generation.Choices(prompts.Count);
        fields.Refuse("suffix", s => s.ValueKind == JsonValueKind.String && s.GetString()!.Length == 0, "the model continues texts and does not fill gaps");
        fields.Refuse("best_of", b => b.ValueKind == JsonValueKind.Number && b.TryGetInt32(out int of) && of == choices, "ask for as many as you want to see with 'n'");
        var request = new ApiRequest(
            fields.Text("model"), prompts, choices, generation.IsSeeded, generation.Request, stream, generation.IncludeUsage(), generation.SessionId(prompts.Count * choices));
        fields.ThrowIfAny();
        return request;
    }

    // A text or ids, or an array of them; none begins a text.
    private static List<Prompt> Prompts(RequestFields fields, ServedModel model)
    {
        if (fields.Find("prompt") is not { } prompt)
        {
            return [Begun()];
        }

        if (prompt.ValueKind != JsonValueKind.Array)
        {
            return [One(prompt)];
        }

        if (prompt.GetArrayLength() == 0)
        {
            fields.Add("prompt", "'prompt' is an empty array; expected a text, ids, or an array of them.");
            return [];
        }

        if (prompt[0].ValueKind == JsonValueKind.Number)
        {
            return [One(prompt)];
        }

        if (prompt.GetArrayLength() > ServerOptions.MaxChoices)
        {
            fields.Add("prompt", $"'prompt' has {prompt.GetArrayLength()} prompts; expected at most {ServerOptions.MaxChoices}.");
            return [];
        }

        return [.. prompt.EnumerateArray().Select(One)];

        Prompt One(JsonElement one) => one.ValueKind switch
        {
            JsonValueKind.String => one.GetString() is { Length: > 0 } text ? model.Begun().Spelled(text).Finish() : Begun(),
            JsonValueKind.Array => Ids(one),
            _ => fields.Wrong<Prompt>("prompt", one, "a text, ids, or an array of them") ?? Nothing,
        };

        Prompt Begun()
        {
            if (model.Boundaries is { PromptBegin: null, Begin: null })
            {
                fields.Add("prompt", "'prompt' is empty, and the model has no token that begins a text; expected a text.");
                return Nothing;
            }

            return model.Writer().Begin().Finish();
        }

        Prompt Ids(JsonElement array)
        {
            if (array.GetArrayLength() == 0)
            {
                fields.Add("prompt", "'prompt' has an empty list of ids; expected at least one, such as the id that begins a text.");
                return Nothing;
            }

            var parts = new List<TextPart>(array.GetArrayLength());
            foreach (JsonElement element in array.EnumerateArray())
            {
                if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out int id) || id < 0 || id >= model.Vocabulary)
                {
                    return fields.Wrong<Prompt>("prompt", element, $"ids, 0 to {model.Vocabulary - 1}") ?? Nothing;
                }

                parts.Add(new TextPart(id, null));
            }

            return new Prompt([.. parts], IsIds: true);
        }
    }

    private static Prompt Nothing { get; } = new([]);
}
