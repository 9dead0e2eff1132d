using T2R.Server.Chat.Jinja;
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
    /// The template in a model's folder: <c>chat_template.jinja</c>, or <c>chat_template</c> in tokenizer_config.json. A folder without one is a base model's and gets the plain one.
    /// </summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <exception cref="UserErrorException">The template has something that is not supported, or its file is damaged.</exception>
    public static ChatTemplate Of(string folder, TextTokenizer tokenizer)
    {
        if (TemplateFile.Find(folder) is not { } found)
        {
            return Plain;
        }

        try
        {
            return new FolderTemplate(found.Text, TemplateFile.Specials(folder, tokenizer), tokenizer);
        }
        catch (JinjaException e)
        {
            throw new UserErrorException($"{found.File}: its chat template cannot be used: {e.Message}.", e);
        }
    }

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
}
