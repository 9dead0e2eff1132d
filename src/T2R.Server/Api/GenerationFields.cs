using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using T2R.Generation;
using T2R.Generation.Serving;

namespace T2R.Server.Api;

/// <summary>The fields that say how a text is continued, alike in completions and chats.</summary>
/// <param name="fields">The request's.</param>
/// <param name="model">What is served.</param>
/// <param name="options">What the server takes on.</param>
internal sealed class GenerationFields(RequestFields fields, ServedModel model, ServerOptions options)
{
    private const int MaxSessionId = 128;

    // The client's alone; the chat template's come on top.
    private const int MaxStops = 16;
    private const string Penalties = "leave it at 0; 'repetition_penalty' makes repeating less likely";

    // A prompt of one id stands for the client's, which is known later: an empty one is wrong.
    private GenerationRequest _request = new() { Prompt = [0] };

    /// <summary>Reads them; <see cref="Request"/> then holds those that are right.</summary>
    /// <param name="stops">Texts that end the text beside the client's.</param>
    public void Read(IReadOnlyList<string> stops)
    {
        SetSampling("temperature", fields.Number("temperature"), (s, value) => s with { Temperature = value });
        SetSampling("top_p", fields.Number("top_p"), (s, value) => s with { TopP = value });
        SetSampling("top_k", fields.Whole("top_k"), (s, value) => s with { TopK = value });
        SetSampling("min_p", fields.Number("min_p"), (s, value) => s with { MinP = value });
        SetSampling("repetition_penalty", fields.Number("repetition_penalty"), (s, value) => s with { RepetitionPenalty = value });
        SetSampling<IReadOnlyDictionary<int, float>>("logit_bias", Biases(), (s, value) => s with { LogitBias = value });
        SetSampling<ulong>("seed", fields.Bits("seed") ?? BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))), (s, value) => s with { Seed = value });
        Set("stop", Stops() is { } own ? (IReadOnlyList<string>)[.. own, .. stops] : stops, (r, value) => r with { Stops = value });
        fields.Refuse("presence_penalty", IsZero, Penalties);
        fields.Refuse("frequency_penalty", IsZero, Penalties);
    }

    /// <summary>Whether the client gave a seed.</summary>
    public bool IsSeeded => fields.Find("seed") is not null;

    /// <summary>How the text is continued.</summary>
    public GenerationRequest Request => _request;

    /// <summary>Sets what a field says, if it says something and that is in range.</summary>
    public void Set<T>(string field, T? value, Func<GenerationRequest, T, GenerationRequest> with)
        where T : struct
    {
        if (value is { } given)
        {
            Set(field, with(_request, given));
        }
    }

    /// <summary>The most new tokens.</summary>
    /// <param name="names">The fields that may say so; the first that is there counts.</param>
    /// <param name="otherwise">What holds if none is.</param>
    public void SetMaxNewTokens(IReadOnlyList<string> names, int otherwise)
    {
        string field = names.FirstOrDefault(n => fields.Find(n) is not null) ?? names[0];
        int most = fields.Whole(field) ?? Math.Min(otherwise, options.MaxNewTokens);
        if (most > options.MaxNewTokens)
        {
            fields.Add(field, $"'{field}' is {most}; this server gives at most {options.MaxNewTokens} new tokens a request.");
            return;
        }

        Set<int>(field, most, (r, value) => r with { MaxNewTokens = value });
    }

    /// <summary><c>n</c>.</summary>
    /// <param name="prompts">How many prompts there are.</param>
    public int Choices(int prompts)
    {
        // More than the engine ever has at once would find its queue full for ever.
        int choices = fields.Whole("n") ?? 1, most = Math.Min(ServerOptions.MaxChoices, model.Engine.Capacity);
        if (choices < 1 || (long)choices * prompts > most)
        {
            fields.Add("n", $"'n' is {choices} for {prompts} prompts; expected at least 1, and at most {most} completions in all, which is what this server takes at once.");
            return 1;
        }

        return choices;
    }

    /// <summary><c>session_id</c>.</summary>
    /// <param name="choices">How many completions there are in all; a session goes on with one.</param>
    public string? SessionId(int choices)
    {
        if (fields.Text("session_id") is not { } id)
        {
            return null;
        }

        if (id.Length is 0 or > MaxSessionId)
        {
            fields.Add("session_id", $"'session_id' has {id.Length} characters; expected 1 to {MaxSessionId}.");
        }

        bool isRecurrent = model.Engine.Config.IsRecurrent;
        if (!isRecurrent || options.MaxSessions == 0)
        {
            string why = isRecurrent ? "this server keeps no sessions" : "this model is not recurrent, so its state grows and is not kept";
            fields.Add("session_id", $"'session_id' is given, and {why}; leave it out.");
        }

        if (choices > 1 || _request.Echo)
        {
            fields.Add("session_id", "'session_id' is given with several completions or with 'echo'; a session goes on with one completion, without its prompt.");
        }

        return id;
    }

    /// <summary>Whether a stream is to end with its usage.</summary>
    public bool IncludeUsage()
    {
        if (fields.Nested("stream_options") is not { } stream)
        {
            return false;
        }

        bool include = stream.Flag("include_usage");
        fields.Take("stream_options", stream);
        return include;
    }

    private void SetSampling<T>(string field, T? value, Func<SamplingOptions, T, SamplingOptions> with)
        where T : struct => Set<T>(field, value, (r, given) => r with { Sampling = with(r.Sampling, given) });

    private void SetSampling<T>(string field, T? value, Func<SamplingOptions, T, SamplingOptions> with)
        where T : class => Set(field, value, (r, given) => r with { Sampling = with(r.Sampling, given) });

    private void Set<T>(string field, T? value, Func<GenerationRequest, T, GenerationRequest> with)
        where T : class
    {
        if (value is not null)
        {
            Set(field, with(_request, value));
        }
    }

    // What is kept is right so far, so what a check finds is this field's.
    private void Set(string field, GenerationRequest next) => _request = fields.Passes(field, problems => next.Validate(problems, model.Vocabulary)) ? next : _request;

    private List<string>? Stops()
    {
        if (fields.Find("stop") is not { } stop)
        {
            return null;
        }

        if (stop.ValueKind == JsonValueKind.String)
        {
            return [stop.GetString()!];
        }

        if (stop.ValueKind != JsonValueKind.Array)
        {
            return fields.Wrong<List<string>>("stop", stop, "a string or an array of strings");
        }

        if (stop.GetArrayLength() > MaxStops)
        {
            fields.Add("stop", $"'stop' has {stop.GetArrayLength()} strings; expected at most {MaxStops}.");
            return null;
        }

        if (stop.EnumerateArray().FirstOrDefault(s => s.ValueKind != JsonValueKind.String) is { ValueKind: not JsonValueKind.Undefined } wrong)
        {
            return fields.Wrong<List<string>>("stop", wrong, "strings alone in the array");
        }

        return [.. stop.EnumerateArray().Select(s => s.GetString()!)];
    }

    private Dictionary<int, float>? Biases()
    {
        if (fields.Find("logit_bias") is not { } bias)
        {
            return null;
        }

        if (bias.ValueKind != JsonValueKind.Object)
        {
            return fields.Wrong<Dictionary<int, float>>("logit_bias", bias, "an object from ids to numbers");
        }

        if (bias.GetPropertyCount() > SamplingOptions.MostBiases)
        {
            fields.Add("logit_bias", $"'logit_bias' has {bias.GetPropertyCount()} ids; expected at most {SamplingOptions.MostBiases}.");
            return null;
        }

        var biases = new Dictionary<int, float>();
        foreach (JsonProperty property in bias.EnumerateObject())
        {
            if (!int.TryParse(property.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id))
            {
                fields.Add("logit_bias", $"'logit_bias' names '{(property.Name.Length > 24 ? "a long text" : property.Name)}'; expected ids.");
                return null;
            }

            if (property.Value.ValueKind != JsonValueKind.Number)
            {
                return fields.Wrong<Dictionary<int, float>>("logit_bias", property.Value, $"a number for id {id}");
            }

            biases[id] = property.Value.GetSingle();
        }

        return biases;
    }

    private static bool IsZero(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number == 0;
}
