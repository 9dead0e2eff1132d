using T2R.Server.Prompts;

namespace T2R.Server.Chat;

/// <summary>
/// Mistral's: <c>[INST] question [/INST] answer&lt;/s&gt;</c>. The marks are text to older tokenizers, which want what the system says before the first question, and pieces to
/// newer ones, which want it before the last (mistral-common, versions 1 and 3).
/// </summary>
internal sealed class MistralTemplate : ChatTemplate
{
    public override string Name => "mistral";

    internal override bool AnswerBeginsWithSpace => true;

    internal override void Write(IReadOnlyList<ChatMessage> messages, PromptWriter prompt)
    {
        (int Open, int Close)? marks = prompt.Find("[INST]") is { } open && prompt.Find("[/INST]") is { } close ? (open, close) : null;
        string system = string.Join("\n\n", messages.TakeWhile(m => m.Role == ChatRole.System).Select(m => m.Content));
        ChatMessage[] turns = [.. messages.SkipWhile(m => m.Role == ChatRole.System)];
        if (turns.Length % 2 == 0 || turns.Where((m, i) => m.Role != (i % 2 == 0 ? ChatRole.User : ChatRole.Assistant)).Any())
        {
            throw new UserErrorException("The model's chat template (mistral) has roles take turns: system messages first if any, then user, assistant, user and so on, a user's last.");
        }

        int withSystem = system.Length == 0 ? -1 : marks is null ? 0 : turns.Length - 1;
        prompt.Begin();
        for (int i = 0; i < turns.Length; i++)
        {
            string content = i == withSystem ? $"{system}\n\n{turns[i].Content}" : turns[i].Content;
            if (i % 2 == 1)
            {
                prompt.Text(marks is null ? $" {content}" : content).End();
            }
            else if (marks is { } m)
            {
                prompt.Id(m.Open).Text(content).Id(m.Close);
            }
            else
            {
                prompt.Text($"[INST] {content} [/INST]");
            }
        }
    }
}
