using T2R.Server.Chat.Jinja;
using T2R.Server.Prompts;
using T2R.Tokenization;

namespace T2R.Server.Chat;

/// <summary>
/// The template that lies in a model's folder, rendered as transformers renders it. Control tokens that the template writes are their ids; those that somebody says in a conversation stay
/// text. Nothing is put before what the template writes, which has the beginning's token if the model wants one.
/// </summary>
internal sealed class FolderTemplate : ChatTemplate
{
    private readonly JinjaTemplate _template;
    private readonly string _source;
    private readonly IReadOnlyDictionary<string, string> _specials;
    private readonly bool _hasSpaceBefore;

    /// <param name="source">The template's text.</param>
    /// <param name="specials">The tokens that it may name, such as <c>bos_token</c>.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <exception cref="JinjaException">It has a mistake, or something that is not supported.</exception>
    public FolderTemplate(string source, IReadOnlyDictionary<string, string> specials, TextTokenizer tokenizer)
    {
        (_template, _source, _specials) = (new JinjaTemplate(source), source, specials);
        _hasSpaceBefore = tokenizer.Split("a", controls: false)[0].Text != tokenizer.NormalizeNext("a");
    }

    public override string Name => "the folder's";

    internal override bool AnswerBeginsWithSpace => _hasSpaceBefore;

    internal override void Write(IReadOnlyList<ChatMessage> messages, PromptWriter prompt)
    {
        char mark = Mark(messages);
        try
        {
            prompt.Rendered(_template.Render(Values(messages, prompt, mark)), mark);
        }
        catch (JinjaException e)
        {
            throw new UserErrorException(e.IsRaised ? $"The model's chat template refuses this conversation: {e.Message}" : $"The model's chat template cannot be rendered with this conversation: {e.Message}.", e);
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
        };
        foreach ((string name, string token) in _specials)
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
