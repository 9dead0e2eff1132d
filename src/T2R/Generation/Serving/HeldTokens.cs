using T2R.Tokenization;

namespace T2R.Generation.Serving;

/// <summary>
/// Gives tokens their text, and holds them back while it is not certain: while it may be the beginning of a stop string, or ends in a part of a character.
/// </summary>
/// <param name="tokenizer">Whose ids they are.</param>
/// <param name="stops">The stop strings.</param>
/// <param name="begun">Whether text comes before the first token.</param>
/// <param name="certain">Receives tokens as they become certain.</param>
internal sealed class HeldTokens(TextTokenizer tokenizer, IReadOnlyList<string> stops, bool begun, Action<GenerationToken> certain)
{
    private readonly IncrementalDecoder _decoder = tokenizer.NewDecoder(begun);
    private readonly Queue<GenerationToken> _held = new();

    // Of the tokens held, joined.
    private string _text = "";

    /// <summary>Ids that came and are not of the text: those of a stop string, or the one that ends a text.</summary>
    internal IReadOnlyList<int> Unsaid { get; private set; } = [];

    /// <summary>Takes note of a token that is not given out.</summary>
    /// <param name="id">Its id.</param>
    internal void Skip(int id) => _decoder.Append(id);

    /// <summary>Takes a token of the prompt, where stop strings mean nothing.</summary>
    /// <param name="token">Without text.</param>
    internal void AppendPrompt(GenerationToken token)
    {
        Hold(token);
        Release(_text.Length);
    }

    /// <summary>Takes a new token.</summary>
    /// <param name="token">Without text.</param>
    /// <returns>Whether a stop string has come. The text before it has been given out, and nothing may follow.</returns>
    internal bool Append(GenerationToken token)
    {
        Hold(token);
        int stop = stops.Select(s => _text.IndexOf(s, StringComparison.Ordinal)).Where(i => i >= 0).DefaultIfEmpty(-1).Min();
        if (stop < 0)
        {
            Release(_text.Length - stops.Select(Begun).DefaultIfEmpty(0).Max());
            return false;
        }

        int rest = Release(stop);
        if (rest > 0)
        {
            certain(_held.Dequeue() with { Text = _text[..rest] });
        }

        Unsaid = [.. _held.Select(t => t.Id)];
        _held.Clear();
        return true;
    }

    /// <summary>Takes the end-of-text id, which is not of the text.</summary>
    /// <param name="id">The id.</param>
    internal void End(int id) => Unsaid = [id];

    /// <summary>Ends the text: gives out what is held.</summary>
    internal void End()
    {
        string rest = _decoder.Flush();
        while (_held.TryDequeue(out var token))
        {
            certain(_held.Count == 0 ? token with { Text = token.Text + rest } : token);
        }
    }

    private void Hold(GenerationToken token)
    {
        token = token with { Text = _decoder.Append(token.Id) };
        _held.Enqueue(token);
        _text += token.Text;
    }

    // Gives out tokens that end within so many units of the text; returns how many of these are left. The last token gets what becomes of bytes that are pending, if nothing follows.
    private int Release(int length)
    {
        while (_held.TryPeek(out var token) && token.Text.Length <= length && !(_held.Count == 1 && _decoder.HasPending))
        {
            certain(_held.Dequeue());
            length -= token.Text.Length;
            _text = _text[token.Text.Length..];
        }

        return length;
    }

    // How much of the text's end is the beginning of a stop string.
    private int Begun(string stop)
    {
        int length = Math.Min(stop.Length - 1, _text.Length);
        while (length > 0 && !_text.AsSpan(_text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
        {
            length--;
        }

        return length;
    }
}
