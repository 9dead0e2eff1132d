using T2R.Server.Prompts;

namespace T2R.Server.Chat;

/// <summary>How a conversation becomes a prompt, as the model was taught. A client's words never become control ids, whatever they spell.</summary>
public abstract class ChatTemplate
{
    private protected ChatTemplate()
    {
    }

    /// <summary>What it is called.</summary>
    public abstract string Name { get; }

    /// <summary>Texts that end an answer beside the model's own end-of-text token.</summary>
    internal virtual IReadOnlyList<string> Stops => [];

    /// <summary>Pieces without which a tokenizer cannot write it.</summary>
    internal virtual IReadOnlyList<string> Pieces => [];

    /// <summary>The piece that ends an answer, which must be the model's end-of-text; null if that is any.</summary>
    internal virtual string? EndPiece => null;

    /// <summary>Writes a conversation up to where the model's answer begins.</summary>
    /// <exception cref="UserErrorException">It cannot be written: a role comes where the template has no place for it.</exception>
    internal abstract void Write(IReadOnlyList<ChatMessage> messages, PromptWriter prompt);

    /// <summary>An answer as a message has it: the space between it and what came before is the template's.</summary>
    internal virtual bool AnswerBeginsWithSpace => false;
}
