using T2R.Server.Chat.Jinja;
using T2R.Server.Prompts;

namespace T2R.Server.Chat;

/// <summary>
/// How a conversation becomes a prompt, as the model was taught: a template in Jinja, rendered as transformers renders it. Special tokens that the template writes are their ids; those that
/// somebody says in the conversation stay text. Nothing is put before what the template writes, which has the beginning's token if the model wants one.
/// </summary>
public sealed class ChatTemplate
{
    private readonly JinjaTemplate _template;
    private readonly string _source;

    /// <param name="name">What it is called.</param>
    /// <param name="source">Its text.</param>
    /// <exception cref="JinjaException">It has a mistake, or something that is not supported.</exception>
    internal ChatTemplate(string name, string source) => (Name, _source, _template) = (name, source, new JinjaTemplate(source));

    /// <summary>What it is called.</summary>
    public string Name { get; }

    /// <summary>Texts that end an answer beside the model's own end-of-text token.</summary>
    internal IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>Special tokens without which a tokenizer cannot write it.</summary>
    internal IReadOnlyList<string> Controls { get; init; } = [];

    /// <summary>The special token that ends an answer, which must be the model's end-of-text; null if that is any.</summary>
    internal string? End { get; init; }

    /// <summary>What its names stand for beside the conversation, such as <c>bos_token</c>; what the model's own do unless they are here.</summary>
    internal IReadOnlyDictionary<string, string> Tokens { get; init; } = new Dictionary<string, string>();

    /// <summary>Writes a conversation up to where the model's answer begins.</summary>
    /// <exception cref="UserErrorException">It cannot be written: a role comes where the template has no place for it.</exception>
    internal void Write(IReadOnlyList<ChatMessage> messages, PromptWriter prompt)
    {
        char mark = Mark(messages);
        try
        {
            prompt.Rendered(_template.Render(Values(messages, prompt, mark)), mark);
        }
        catch (JinjaException e)
        {
            throw new UserErrorException(
                e.IsRaised ? $"The model's chat template ({Name}) refuses this conversation: {e.Message}" : $"The model's chat template ({Name}) cannot be rendered with this conversation: {e.Message}.", e);
        }
    }

    private JinjaMap Values(IReadOnlyList<ChatMessage> messages, PromptWriter prompt, char mark)
    {
        var values = new JinjaMap
        {
            ["messages"] = messages.Select(m => (object?)new JinjaMap { ["role"] = m.Role.ToString().ToLowerInvariant(), ["content"] = prompt.Marked(m.Content, mark) }).ToList(),
            ["tools"] = null,
            ["documents"] = null,
            ["add_generation_prompt"] = true,
            ["bos_token"] = prompt.BeginName,
            ["eos_token"] = prompt.EndName,
            [NamedTemplates.ControlTokens] = prompt.ControlNames.Cast<object?>().ToList(),
        };
        foreach ((string name, string token) in Tokens)
        {
            values[name] = token;
        }

        return values;
    }

    // Not a character of any text: Unicode keeps these 32 for inside a program.
    private char Mark(IReadOnlyList<ChatMessage> messages)
    {
        for (char mark = '\uFDD0'; mark <= '\uFDEF'; mark++)
        {
            if (!_source.Contains(mark) && messages.All(m => !m.Content.Contains(mark)))
            {
                return mark;
            }
        }

        throw new UserErrorException("The conversation has all of U+FDD0 to U+FDEF, which are no characters; leave one out.");
    }
}
