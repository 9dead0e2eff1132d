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

    /// <summary>What the id that begins a text is called.</summary>
    public string BeginName => tokenizer[beginning].Name;

    /// <summary>What the id that ends a text is called.</summary>
    public string EndName => tokenizer[end].Name;

    /// <summary>What the control tokens are called.</summary>
    public IEnumerable<string> ControlNames => tokenizer.ControlTokens.Keys;

    /// <summary>Begins the text.</summary>
    public PromptWriter Begin()
    {
        _parts.Add(new TextPart(beginning, null));
        return this;
    }

    /// <summary>A text as the tokenizer encodes it by itself: of control tokens that it spells, those are found that the tokenizer finds. One that begins a text is not written twice.</summary>
    public PromptWriter Spelled(string text)
    {
        IReadOnlyList<TextPart> parts = tokenizer.Split(text, tokenizer.FindsControls);
        bool twice = _parts.Count > 0 && parts.Count > 0 && parts[0].Text is null && parts[0].Id == beginning && _parts[^1] == parts[0];
        _parts.AddRange(parts.Skip(twice ? 1 : 0));
        return this;
    }

    /// <summary>What somebody said, with a mark inside each control token that it spells, so that it is none when it has been rendered.</summary>
    public string Marked(string said, char mark)
    {
        foreach (string token in tokenizer.ControlTokens.Keys.Where(t => t.Length > 1))
        {
            // Again, since one may have overlapped another.
            while (said.Contains(token, StringComparison.Ordinal))
            {
                said = said.Replace(token, $"{token[0]}{mark}{token[1..]}", StringComparison.Ordinal);
            }
        }

        return said;
    }

    /// <summary>A text in which control tokens are to be found, and then marks to be taken away.</summary>
    public PromptWriter Rendered(string text, char mark)
    {
        foreach (TextPart part in tokenizer.Split(text, controls: true))
        {
            if (part.Text?.Replace(mark.ToString(), "", StringComparison.Ordinal) is not "")
            {
                _parts.Add(part with { Text = part.Text?.Replace(mark.ToString(), "", StringComparison.Ordinal) });
            }
        }

        return this;
    }

    /// <summary>What was written; the writer then is as new.</summary>
    public Prompt Finish() => new(_parts.DrainToImmutable());
}
