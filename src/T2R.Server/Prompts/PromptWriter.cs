using System.Collections.Immutable;
using T2R.Tokenization;

namespace T2R.Server.Prompts;

/// <summary>Writes prompts in a model's words.</summary>
/// <param name="tokenizer">The model's.</param>
/// <param name="pieces">Its pieces that no text becomes (<see cref="Pieces"/>).</param>
/// <param name="beginning">The id that begins a text.</param>
/// <param name="end">The id that ends one.</param>
internal sealed class PromptWriter(SentencePieceTokenizer tokenizer, IReadOnlyDictionary<string, int> pieces, int beginning, int end)
{
    private readonly ImmutableArray<PromptPart>.Builder _parts = ImmutableArray.CreateBuilder<PromptPart>();

    /// <summary>The ids of a tokenizer's pieces that no text becomes, whatever it spells: the control pieces. Those that a user defined are cut from text, so that clients can write them.</summary>
    public static Dictionary<string, int> Pieces(SentencePieceTokenizer tokenizer) => tokenizer.Model.Pieces
        .Select((piece, id) => (piece, id))
        .Where(p => p.piece.Type == SentencePieceType.Control)
        .ToDictionary(p => p.piece.Text, p => p.id, StringComparer.Ordinal);

    /// <summary>The id of a piece that no text becomes; null if the tokenizer has none.</summary>
    public int? Find(string piece) => pieces.TryGetValue(piece, out int id) ? id : null;

    /// <summary>Begins the text.</summary>
    public PromptWriter Begin() => Id(beginning);

    /// <summary>Ends a text within the prompt.</summary>
    public PromptWriter End() => Id(end);

    /// <summary>An id.</summary>
    public PromptWriter Id(int id)
    {
        _parts.Add(new PromptPart(id, null));
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
            _parts[^1] = last with { Text = last.Text + text.Replace(' ', '\u2581') };
        }
        else
        {
            _parts.Add(new PromptPart(0, tokenizer.Normalize(text)));
        }

        return this;
    }

    /// <summary>What was written; the writer then is as new.</summary>
    public Prompt Finish() => new(_parts.DrainToImmutable());
}
