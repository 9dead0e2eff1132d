using T2R.Server.Prompts;

namespace T2R.Server.Chat;

/// <summary>ChatML: <c>&lt;|im_start|&gt;role</c>, a line end, what was said, <c>&lt;|im_end|&gt;</c>.</summary>
internal sealed class ChatMLTemplate : ChatTemplate
{
    private const string Start = "<|im_start|>", Stop = "<|im_end|>";

    public override string Name => "chatml";

    internal override IReadOnlyList<string> Pieces => [Start, Stop];

    internal override string? EndPiece => Stop;

    internal override void Write(IReadOnlyList<ChatMessage> messages, PromptWriter prompt)
    {
        int start = prompt.Find(Start)!.Value;
        foreach (ChatMessage message in messages)
        {
            prompt.Id(start).Text($"{message.Role.ToString().ToLowerInvariant()}\n{message.Content}").End().Text("\n");
        }

        prompt.Id(start).Text("assistant\n");
    }
}
