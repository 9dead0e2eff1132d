using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace T2R.Tokenization;

/// <summary>
/// Byte-pair encoding that yields the ids SentencePiece yields (https://github.com/google/sentencepiece), for any text of any length. Control pieces
/// are never found in a text: a literal <c>&lt;s&gt;</c> is plain text, and beginning and end of sentence are the caller's to add. Safe for use by
/// several threads at once.
/// </summary>
public sealed class SentencePieceTokenizer : Tokenizer
{
    private readonly SentencePieceNormalizer _normalizer;
    private readonly BpeEncoder _encoder;

    /// <summary>Makes a tokenizer of a model.</summary>
    /// <param name="model">The model; already checked.</param>
    public SentencePieceTokenizer(SentencePieceModel model)
    {
        Model = model;
        var vocabulary = new BpeVocabulary(model);
        _normalizer = new SentencePieceNormalizer(model, vocabulary.UserDefined);
        _encoder = new BpeEncoder(vocabulary);
        UnknownId = vocabulary.UnknownId;
        BeginningOfSentenceId = ControlId(model.Trainer.BeginningOfSentencePiece);
        EndOfSentenceId = ControlId(model.Trainer.EndOfSentencePiece);
        PadId = ControlId(model.Trainer.PadPiece);
    }

    /// <summary>The model it was made of.</summary>
    public SentencePieceModel Model { get; }

    /// <summary>The number of pieces: ids are 0 to this, exclusive.</summary>
    public int VocabularySize => Model.Pieces.Count;

    /// <summary>What stands for text that the vocabulary cannot spell.</summary>
    public int UnknownId { get; }

    /// <summary>The id put before a document, null when the model has none.</summary>
    public int? BeginningOfSentenceId { get; }

    /// <summary>The id put behind a document, null when the model has none.</summary>
    public int? EndOfSentenceId { get; }

    /// <summary>The id that fills up batches, null when the model has none.</summary>
    public int? PadId { get; }

    /// <summary>Encodes a text and appends its ids, without allocating for texts whose words were seen before.</summary>
    /// <param name="text">Any UTF-16; a lone surrogate counts as U+FFFD.</param>
    /// <param name="ids">Receives the ids; no beginning or end of sentence is added.</param>
    public void AppendIds(ReadOnlySpan<char> text, List<int> ids)
    {
        char[] buffer = ArrayPool<char>.Shared.Rent(text.Length + 1);
        _encoder.AppendIds(buffer.AsSpan(0, _normalizer.Normalize(text, buffer)), ids);
        ArrayPool<char>.Shared.Return(buffer);
    }

    /// <summary>
    /// A text as its pieces are cut from it, with U+2581 for spaces and the space that the model puts before a text. Texts like that can be joined and encoded without
    /// being normalized again.
    /// </summary>
    /// <param name="text">Any UTF-16; a lone surrogate counts as U+FFFD.</param>
    public string Normalize(string text) => Normalize(text, new EncodeSettings { ConsiderNormalization = true });

    /// <inheritdoc/>
    public override string Decode(IEnumerable<int> ids)
    {
        var decoder = new IncrementalDecoder(this);
        var text = new StringBuilder();
        foreach (int id in ids)
        {
            text.Append(decoder.Append(id));
        }

        return text.Append(decoder.Flush()).ToString();
    }

    /// <inheritdoc/>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        var decoder = new IncrementalDecoder(this);
        idsConsumed = charsWritten = 0;
        int seen = 0;
        foreach (int id in ids)
        {
            if (!TryWrite(decoder.Append(id), destination, ref charsWritten))
            {
                return OperationStatus.DestinationTooSmall;
            }

            seen++;
            idsConsumed = decoder.HasPending ? idsConsumed : seen;
        }

        if (!TryWrite(decoder.Flush(), destination, ref charsWritten))
        {
            return OperationStatus.DestinationTooSmall;
        }

        idsConsumed = seen;
        return OperationStatus.Done;
    }

    /// <summary>Encodes a text merged in one piece, neither cutting nor remembering: what <see cref="AppendIds"/> must equal.</summary>
    internal void AppendIdsUncut(ReadOnlySpan<char> text, List<int> ids)
    {
        char[] buffer = new char[text.Length + 1];
        _encoder.AppendWhole(buffer.AsSpan(0, _normalizer.Normalize(text, buffer)), ids);
    }

    /// <inheritdoc/>
    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        if (settings.MaxTokenCount < int.MaxValue)
        {
            EncodeResults<EncodedToken> tokens = EncodeToTokens(text, textSpan, settings);
            return new() { Tokens = [.. tokens.Tokens.Select(token => token.Id)], NormalizedText = tokens.NormalizedText, CharsConsumed = tokens.CharsConsumed };
        }

        string normalized = Normalize(textSpan, settings);
        var ids = new List<int>();
        _encoder.AppendIds(normalized, ids);
        return new() { Tokens = ids, NormalizedText = normalized, CharsConsumed = normalized.Length };
    }

    /// <inheritdoc/>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        string normalized = Normalize(textSpan, settings);
        List<EncodedToken> tokens = _encoder.Tokens(normalized, Model.Pieces);
        int consumed = normalized.Length;
        if (tokens.Count > settings.MaxTokenCount)
        {
            tokens.RemoveRange(settings.MaxTokenCount, tokens.Count - settings.MaxTokenCount);
            consumed = tokens.Count == 0 ? 0 : tokens[^1].Offset.End.Value;
        }

        return new() { Tokens = tokens, NormalizedText = normalized, CharsConsumed = consumed };
    }

    private static bool TryWrite(string text, Span<char> destination, ref int written)
    {
        if (!text.TryCopyTo(destination[written..]))
        {
            return false;
        }

        written += text.Length;
        return true;
    }

    private string Normalize(ReadOnlySpan<char> text, EncodeSettings settings)
    {
        char[] buffer = new char[text.Length + 1];
        if (settings.ConsiderNormalization)
        {
            return new string(buffer, 0, _normalizer.Normalize(text, buffer));
        }

        text.CopyTo(buffer);
        SentencePieceNormalizer.ReplaceLoneSurrogates(buffer.AsSpan(0, text.Length));
        return new string(buffer, 0, text.Length);
    }

    private int? ControlId(string piece)
    {
        for (int id = 0; id < Model.Pieces.Count; id++)
        {
            if (Model.Pieces[id].Type == SentencePieceType.Control && Model.Pieces[id].Text == piece)
            {
                return id;
            }
        }

        return null;
    }
}
