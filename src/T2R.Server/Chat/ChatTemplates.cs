using T2R.Server.Chat.Jinja;
using T2R.Tokenization;

namespace T2R.Server.Chat;

/// <summary>Finds a model's chat template: its folder's own, or one chosen by name.</summary>
public static class ChatTemplates
{
    /// <summary>The names to choose from.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. NamedTemplates.All.Select(t => t.Name)];

    /// <summary>The template of a name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="UserErrorException">There is none of that name.</exception>
    public static ChatTemplate Named(string name) =>
        NamedTemplates.All.FirstOrDefault(t => t.Name == name) ?? throw new UserErrorException($"'{name}' is not a chat template that is known; expected one of {string.Join(", ", Names)}.");

    /// <summary>
    /// The template in a model's folder: <c>chat_template.jinja</c>, or <c>chat_template</c> in tokenizer_config.json. A folder without one is a base model's and gets the plain one.
    /// </summary>
    /// <param name="folder">The model's folder.</param>
    /// <exception cref="UserErrorException">The template has something that is not supported, or its file is damaged.</exception>
    public static ChatTemplate Of(string folder)
    {
        if (TemplateFile.Find(folder) is not { } found)
        {
            return NamedTemplates.All[0];
        }

        try
        {
            return new ChatTemplate(Path.GetFileName(found.File), found.Text) { Tokens = TemplateFile.Tokens(folder) };
        }
        catch (JinjaException e)
        {
            throw new UserErrorException($"{found.File}: its chat template cannot be used: {e.Message}.", e);
        }
    }

    /// <summary>Adds a sentence for each thing that a model lacks to use a template.</summary>
    /// <param name="template">The template.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="endOfText">The ids that end a text.</param>
    /// <param name="problems">Receives them.</param>
    public static void Check(ChatTemplate template, TextTokenizer tokenizer, IReadOnlyList<int> endOfText, Problems problems)
    {
        foreach (string token in template.Controls.Where(c => !tokenizer.ControlTokens.ContainsKey(c)))
        {
            problems.Add($"The chat template '{template.Name}' needs the special token {token}, which the tokenizer does not have; give another with --chat-template.");
        }

        if (template.End is { } end && tokenizer.ControlTokens.TryGetValue(end, out int id) && !endOfText.Contains(id))
        {
            problems.Add($"The chat template '{template.Name}' ends an answer with {end} (id {id}), and the model a text with id {string.Join(" or ", endOfText)}; add {id} to eos_token_id in generation_config.json.");
        }
    }
}
