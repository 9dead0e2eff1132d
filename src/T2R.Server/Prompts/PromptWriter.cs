using System.Collections.Immutable;
using System.Text;
using T2R.Tokenization;

namespace T2R.Server.Prompts;

/// <summary>Writes prompts in a model's words.</summary>
/// <param name="tokenizer">The model's.</param>
/// <param name="beginning">The id that begins a text.</param>
/// <param name="end">The id that ends one.</param>
internal sealed class PromptWriter(TextTokenizer tokenizer, int beginning, int end)
{
    private readonly ImmutableArray<TextPart>.Builder _parts = ImmutableArray.CreateBuilder<TextPart>();
    private readonly Lazy<HashSet<Rune>> _begins = new(() => Beginnings(tokenizer));

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

    /// <summary>
    /// What somebody said, with a mark behind each character that begins a token which is found in texts, so that none is found in it when it has been rendered, whatever the template leaves
    /// out of it or joins.
    /// </summary>
    public string Marked(string said, char mark)
    {
        var marked = new StringBuilder(said.Length);
        foreach (Rune rune in said.EnumerateRunes())
        {
            marked.Append(rune.ToString());
            if (_begins.Value.Contains(rune))
            {
                marked.Append(mark);
            }
        }

        return marked.ToString();
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

    // Runs of spaces are tokens of some vocabularies and steer nothing. Elsewhere a space is as good as what a tokenizer makes of it.
    private static HashSet<Rune> Beginnings(TextTokenizer tokenizer)
    {
        var space = new Rune(' ');
        var escaped = new Rune('\u2581');
        HashSet<Rune> begins = [.. tokenizer.FoundTokens.Where(t => t.EnumerateRunes().Skip(1).Any() && t.Any(c => !char.IsWhiteSpace(c) && c != '\u2581')).Select(t => t.EnumerateRunes().First())];
        if (begins.Contains(space) || begins.Contains(escaped))
        {
            begins.UnionWith([space, escaped]);
        }

        return begins;
    }
}
