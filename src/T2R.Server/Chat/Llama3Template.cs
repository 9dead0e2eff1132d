using T2R.Server.Prompts;

namespace T2R.Server.Chat;

/// <summary>Llama 3's: the role between <c>&lt;|start_header_id|&gt;</c> and <c>&lt;|end_header_id|&gt;</c>, an empty line, what was said, <c>&lt;|eot_id|&gt;</c>.</summary>
internal sealed class Llama3Template : ChatTemplate
{
    private const string Open = "<|start_header_id|>", Close = "<|end_header_id|>", Stop = "<|eot_id|>";

    public override string Name => "llama-3";

    internal override IReadOnlyList<string> Pieces => [Open, Close, Stop];

    internal override string? EndPiece => Stop;

    internal override void Write(IReadOnlyList<ChatMessage> messages, PromptWriter prompt)
    {
        prompt.Begin();
        foreach (ChatMessage message in messages)
        {
            Header(message.Role).Text($"\n\n{message.Content.Trim()}").End();
        }

        Header(ChatRole.Assistant).Text("\n\n");

        PromptWriter Header(ChatRole role) => prompt.Id(prompt.Find(Open)!.Value).Text(role.ToString().ToLowerInvariant()).Id(prompt.Find(Close)!.Value);
    }
}
