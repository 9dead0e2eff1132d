using T2R.Server.Prompts;

namespace T2R.Server.Chat;

/// <summary>For a model that was taught none: lines of "User:" and "Assistant:".</summary>
internal sealed class PlainTemplate : ChatTemplate
{
    public override string Name => "plain";

    internal override IReadOnlyList<string> Stops => ["\nUser:"];

    internal override bool AnswerBeginsWithSpace => true;

    internal override void Write(IReadOnlyList<ChatMessage> messages, PromptWriter prompt)
    {
        prompt.Begin();
        foreach (ChatMessage message in messages)
        {
            prompt.Text(message.Role switch
            {
                ChatRole.System => $"{message.Content}\n\n",
                ChatRole.User => $"User: {message.Content}\n",
                _ => $"Assistant: {message.Content}\n",
            });
        }

        prompt.Text("Assistant:");
    }
}
