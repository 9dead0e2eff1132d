using System.Collections.Immutable;
using T2R.Tokenization;

namespace T2R.Server.Prompts;

/// <summary>What a model is to continue, before it is cut into ids: so that two prompts can be compared by their texts, which may be cut in several ways.</summary>
/// <param name="Parts">In order; no two texts follow each other.</param>
/// <param name="IsIds">Whether the client sent ids; then what is generated joins as ids too.</param>
internal sealed record Prompt(ImmutableArray<PromptPart> Parts, bool IsIds = false)
{
    private const char EscapedSpace = '\u2581';

    /// <summary>The ids.</summary>
    public List<int> Encode(SentencePieceTokenizer tokenizer)
    {
        var ids = new List<int>();
        foreach (PromptPart part in Parts)
        {
            if (part.Text is null)
            {
                ids.Add(part.Id);
            }
            else
            {
                ids.AddRange(tokenizer.EncodeToIds(part.Text, considerNormalization: false));
            }
        }

        return ids;
    }

    /// <summary>This prompt and what was generated from it.</summary>
    public Prompt FollowedBy(IEnumerable<int> ids, SentencePieceTokenizer tokenizer)
    {
        if (IsIds)
        {
            return this with { Parts = Parts.AddRange(ids.Select(id => new PromptPart(id, null))) };
        }

        var parts = Parts.ToBuilder();
        var decoder = new IncrementalDecoder(tokenizer, begun: true);
        foreach (int id in ids)
        {
            Append(decoder.Append(id));
            if (tokenizer.Model.Pieces[id].Type == SentencePieceType.Control)
            {
                parts.Add(new PromptPart(id, null));
            }
        }

        Append(decoder.Flush());
        return this with { Parts = parts.DrainToImmutable() };

        void Append(string text)
        {
            text = text.Replace(' ', EscapedSpace);
            if (parts is [.., { Text: { } last }])
            {
                parts[^1] = new PromptPart(0, last + text);
            }
            else if (text.Length > 0)
            {
                parts.Add(new PromptPart(0, text));
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

        PromptPart theirs = other.Parts[whole], ours = Parts[whole];
        ImmutableArray<PromptPart> rest = Parts[(whole + 1)..];
        if (ours == theirs)
        {
            return this with { Parts = rest };
        }

        bool goesOn = ours.Text is not null && theirs.Text is not null && ours.Text.StartsWith(theirs.Text, StringComparison.Ordinal);
        return goesOn ? this with { Parts = rest.Insert(0, new PromptPart(0, ours.Text![theirs.Text!.Length..])) } : null;
    }
}
