using System.Collections.Immutable;
using T2R.Tokenization;

namespace T2R.Server.Prompts;

/// <summary>What a model is to continue, before it is cut into ids: so that two prompts can be compared by their texts, which may be cut in several ways.</summary>
/// <param name="Parts">In order; no two texts follow each other.</param>
/// <param name="IsIds">Whether the client sent ids; then what is generated joins as ids too.</param>
internal sealed record Prompt(ImmutableArray<TextPart> Parts, bool IsIds = false)
{
    /// <summary>How many ids it has at least, told by its length alone.</summary>
    public int FewestIds(TextTokenizer tokenizer) => Parts.Sum(p => p.Text is null ? 1 : tokenizer.MostCharacters is { } most ? (p.Text.Length + most - 1) / most : 0);

    /// <summary>The ids.</summary>
    public List<int> Encode(TextTokenizer tokenizer)
    {
        var ids = new List<int>();
        foreach (TextPart part in Parts)
        {
            if (part.Text is null)
            {
                ids.Add(part.Id);
            }
            else
            {
                tokenizer.AppendNormalizedIds(part.Text, ids);
            }
        }

        return ids;
    }

    /// <summary>This prompt and what was generated from it.</summary>
    public Prompt FollowedBy(IEnumerable<int> ids, TextTokenizer tokenizer)
    {
        if (IsIds)
        {
            return this with { Parts = Parts.AddRange(ids.Select(id => new TextPart(id, null))) };
        }

        var parts = Parts.ToBuilder();
        IncrementalDecoder decoder = tokenizer.NewDecoder(begun: true);
        foreach (int id in ids)
        {
            Append(decoder.Append(id));
            if (tokenizer[id].Kind == TokenKind.Control)
            {
                parts.Add(new TextPart(id, null));
            }
        }

        Append(decoder.Flush());
        return this with { Parts = parts.DrainToImmutable() };

        void Append(string text)
        {
            text = tokenizer.NormalizeNext(text);
            if (parts is [.., { Text: { } last }])
            {
                parts[^1] = new TextPart(0, last + text);
            }
            else if (text.Length > 0)
            {
                parts.Add(new TextPart(0, text));
            }
        }
    }

    /// <summary>What this prompt has beyond another.</summary>
    /// <returns>Null if it does not begin with the other.</returns>
    public Prompt? Beyond(Prompt other)
    {
        int whole = other.Parts.Length - 1;
        if (whole < 0 || Parts.Length <= whole || !Parts.AsSpan(0, whole).SequenceEqual(other.Parts.AsSpan(0, whole)))
        {
            return null;
        }

        TextPart theirs = other.Parts[whole], ours = Parts[whole];
        ImmutableArray<TextPart> rest = Parts[(whole + 1)..];
        if (ours == theirs)
        {
            return this with { Parts = rest };
        }

        bool goesOn = ours.Text is not null && theirs.Text is not null && ours.Text.StartsWith(theirs.Text, StringComparison.Ordinal);
        return goesOn ? this with { Parts = rest.Insert(0, new TextPart(0, ours.Text![theirs.Text!.Length..])) } : null;
    }
}
