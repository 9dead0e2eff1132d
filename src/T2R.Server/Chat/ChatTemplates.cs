using System.Text.Json;
using T2R.Tokenization;

namespace T2R.Server.Chat;

/// <summary>The chat templates that are known, and which of them a model was taught.</summary>
public static class ChatTemplates
{
    private static readonly ChatTemplate Plain = new PlainTemplate(), Mistral = new MistralTemplate(), ChatML = new ChatMLTemplate(), Llama3 = new Llama3Template();
    private static readonly ChatTemplate[] All = [Plain, Mistral, ChatML, Llama3];

    /// <summary>The names to choose from.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(t => t.Name)];

    /// <summary>The template of a name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="UserErrorException">There is none of that name.</exception>
    public static ChatTemplate Named(string name) =>
        All.FirstOrDefault(t => t.Name == name) ?? throw new UserErrorException($"'{name}' is not a chat template that is known; expected one of {string.Join(", ", Names)}.");

    /// <summary>
    /// The template that a model's folder asks for, told by the marks in its text: <c>chat_template.jinja</c>, or <c>chat_template</c> in tokenizer_config.json. A folder
    /// without one is a base model's and gets the plain one.
    /// </summary>
    /// <param name="folder">The model's folder.</param>
    /// <returns>Null if the folder's template is another.</returns>
    /// <exception cref="UserErrorException">tokenizer_config.json is damaged.</exception>
    public static ChatTemplate? Of(string folder) => TextIn(folder) switch
    {
        null => Plain,
        var text when text.Contains("<|start_header_id|>", StringComparison.Ordinal) => Llama3,
        var text when text.Contains("<|im_start|>", StringComparison.Ordinal) => ChatML,

        // Llama 2 and later Mistrals share the mark and tell of the system otherwise.
        var text when text.Contains("<<SYS>>", StringComparison.Ordinal) || text.Contains("[SYSTEM_PROMPT]", StringComparison.Ordinal) => null,
        var text when text.Contains("[INST]", StringComparison.Ordinal) => Mistral,
        _ => null,
    };

    /// <summary>Adds a sentence for each thing that a model lacks to use a template.</summary>
    /// <param name="template">The template.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="endOfText">The model's end-of-text id.</param>
    /// <param name="problems">Receives them.</param>
    public static void Check(ChatTemplate template, TextTokenizer tokenizer, int endOfText, Problems problems)
    {
        foreach (string piece in template.Pieces.Where(p => !tokenizer.ControlTokens.ContainsKey(p)))
        {
            problems.Add($"The chat template '{template.Name}' needs the control piece {piece}, which the tokenizer does not have; give another with --chat-template.");
        }

        if (template.EndPiece is { } end && tokenizer.ControlTokens.TryGetValue(end, out int id) && id != endOfText)
        {
            problems.Add($"The chat template '{template.Name}' ends an answer with {end} (id {id}), and the model a text with id {endOfText}; set eos_token_id in config.json to {id}.");
        }
    }

    private static string? TextIn(string folder)
    {
        string jinja = Path.Combine(folder, "chat_template.jinja"), config = Path.Combine(folder, "tokenizer_config.json");
        if (File.Exists(jinja))
        {
            return File.ReadAllText(jinja);
        }

        if (!File.Exists(config))
        {
            return null;
        }

        try
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(config));
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("chat_template", out JsonElement template) ? TextOf(template, config) : null;
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{config}: not valid JSON ({e.Message}); mend the file.", e);
        }
    }

    // A text, or several with names.
    private static string? TextOf(JsonElement template, string file) => template.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.String => template.GetString(),
        JsonValueKind.Array => template.EnumerateArray()
            .Where(t => t.ValueKind == JsonValueKind.Object && t.TryGetProperty("name", out JsonElement name) && name.ValueEquals("default"))
            .Select(t => t.TryGetProperty("template", out JsonElement text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null)
            .FirstOrDefault() ?? "",
        _ => throw new UserErrorException($"{file}: chat_template is neither a text nor a list of texts with names; mend the file."),
    };
}
