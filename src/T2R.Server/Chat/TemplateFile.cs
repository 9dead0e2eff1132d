using System.Text.Json;
using T2R.Checkpoints;

namespace T2R.Server.Chat;

/// <summary>Finds a chat template in a model's folder, and the tokens that it may name.</summary>
internal static class TemplateFile
{
    private const string ConfigFile = "tokenizer_config.json";

    /// <summary>The template's text and the file it is in; null if there is none.</summary>
    /// <exception cref="UserErrorException">The file is damaged.</exception>
    public static (string Text, string File)? Find(string folder)
    {
        string jinja = Path.Combine(folder, "chat_template.jinja"), config = Path.Combine(folder, ConfigFile);
        if (Path.Exists(jinja))
        {
            return (InputFile.ReadText(jinja), jinja);
        }

        return Config(folder) is { } json && json.TryGetProperty("chat_template", out JsonElement template) && TextOf(template, config) is { } text ? (text, config) : null;
    }

    /// <summary>The tokens that tokenizer_config.json names, such as <c>bos_token</c>; empty for one that it says there is none of.</summary>
    /// <exception cref="UserErrorException">The file is damaged.</exception>
    public static IReadOnlyDictionary<string, string> Tokens(string folder)
    {
        var tokens = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (JsonProperty property in Config(folder)?.EnumerateObject().Where(p => p.Name.EndsWith("_token", StringComparison.Ordinal)) ?? [])
        {
            JsonElement token = property.Value.ValueKind == JsonValueKind.Object && property.Value.TryGetProperty("content", out JsonElement content) ? content : property.Value;
            if (token.ValueKind is JsonValueKind.String or JsonValueKind.Null)
            {
                tokens[property.Name] = token.GetString() ?? "";
            }
        }

        return tokens;
    }

    private static JsonElement? Config(string folder)
    {
        string config = Path.Combine(folder, ConfigFile);
        if (!Path.Exists(config))
        {
            return null;
        }

        JsonElement json = InputFile.ReadJson(config);
        return json.ValueKind == JsonValueKind.Object ? json : throw new UserErrorException($"{config}: holds a JSON {json.ValueKind}, expected an object; fetch the file again.");
    }

    // A text, or several with names, of which the default is for conversations without tools.
    private static string? TextOf(JsonElement template, string file) => template.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.String => template.GetString(),
        JsonValueKind.Array => template.EnumerateArray()
            .Where(t => t.ValueKind == JsonValueKind.Object && t.TryGetProperty("name", out JsonElement name) && name.ValueKind == JsonValueKind.String && name.ValueEquals("default"))
            .Select(t => t.TryGetProperty("template", out JsonElement text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null)
            .FirstOrDefault() ?? throw new UserErrorException($"{file}: chat_template has several templates and none of them is named 'default'; name one so, or start the server with --chat-template."),
        _ => throw new UserErrorException($"{file}: chat_template is neither a text nor a list of texts with names; mend the file."),
    };
}
