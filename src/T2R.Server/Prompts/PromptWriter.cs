using System.Collections.Immutable;
using T2R.Tokenization;

namespace T2R.Server.Prompts;

/// <summary>Writes prompts in a model's words.</summary>
/// <param name="tokenizer">The model's.</param>
/// <param name="beginning">The id that begins a text.</param>
/// <param name="end">The id that ends one.</param>
internal sealed class PromptWriter(TextTokenizer tokenizer, int beginning, int end)
{
    private readonly ImmutableArray<TextPart>.Builder _parts = ImmutableArray.CreateBuilder<TextPart>();

    /// <summary>The id of a control token, which no text becomes, whatever it spells; null if the tokenizer has none of that name.</summary>
    public int? Find(string name) => tokenizer.ControlTokens.TryGetValue(name, out int id) ? id : null;

    /// <summary>Begins the text.</summary>
    public PromptWriter Begin() => Id(beginning);

    /// <summary>Ends a text within the prompt.</summary>
    public PromptWriter End() => Id(end);

    /// <summary>An id.</summary>
    public PromptWriter Id(int id)
    {
        _parts.Add(new TextPart(id, null));
        return this;
    }

    /// <summary>A text. One that follows another goes on where that ended, as if both were one.</summary>
    public PromptWriter Text(string text)
    {
        if (text.Length == 0)
        {
            return this;
        }

        if (_parts is [.., { Text: not null } last])
        {
            _parts[^1] = last with { Text = last.Text + tokenizer.NormalizeNext(text) };
        }
        else
        {
            _parts.AddRange(tokenizer.Split(text, controls: false));
        }

        return this;
    }

    /// <summary>What was written; the writer then is as new.</summary>
    public Prompt Finish() => new(_parts.DrainToImmutable());
}
