using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace T2R.Tokenization;

/// <summary>
/// Byte-pair encoding that yields the ids SentencePiece yields (https://github.com/google/sentencepiece), for any text of any length. Control pieces
/// are never found in a text: a literal <c>&lt;s&gt;</c> is plain text.
/// </summary>
public sealed class SentencePieceTokenizer : TextTokenizer
{
    private readonly SentencePieceNormalizer _normalizer;
    private readonly BpeEncoder _encoder;
    private readonly TokenFinder _controls;
    private readonly IReadOnlySet<int> _shown;

    /// <summary>Makes a tokenizer of a model.</summary>
    /// <param name="model">The model; already checked.</param>
    /// <param name="shown">Control pieces that decoding shows by their names; null for none.</param>
    /// <param name="beginsPrompts">Whether a prompt begins with <see cref="BeginningOfSentenceId"/>; a file named <c>tokenizer.model</c> does not say so itself.</param>
    public SentencePieceTokenizer(SentencePieceModel model, IReadOnlySet<int>? shown = null, bool beginsPrompts = true)
    {
        _shown = shown ?? new HashSet<int>();
        Model = model;
        var vocabulary = new BpeVocabulary(model);
        _normalizer = new SentencePieceNormalizer(model, vocabulary.UserDefined);
        _encoder = new BpeEncoder(vocabulary);
        UnknownId = vocabulary.UnknownId;
        ControlTokens = Enumerable.Range(0, model.Pieces.Count)
            .Where(id => model.Pieces[id].Type == SentencePieceType.Control)
            .ToDictionary(id => model.Pieces[id].Text, StringComparer.Ordinal);
        _controls = new TokenFinder(ControlTokens);
        MostCharacters = model.Trainer.ByteFallback ? model.Pieces.Max(p => p.Text.Length) : null;
        BeginningOfSentenceId = ControlId(model.Trainer.BeginningOfSentencePiece);
        PromptBeginId = beginsPrompts ? BeginningOfSentenceId : null;
        EndOfSentenceId = ControlId(model.Trainer.EndOfSentencePiece);
        PadId = ControlId(model.Trainer.PadPiece);
    }

    /// <summary>The model it was made of.</summary>
    public SentencePieceModel Model { get; }

    /// <inheritdoc/>
    public override int VocabularySize => Model.Pieces.Count;

    /// <summary>What stands for text that the vocabulary cannot spell.</summary>
    public int UnknownId { get; }

    /// <inheritdoc/>
    public override int? BeginningOfSentenceId { get; }

    /// <inheritdoc/>
    public override int? PromptBeginId { get; }

    /// <inheritdoc/>
    public override int? EndOfSentenceId { get; }

    /// <inheritdoc/>
    public override int? PadId { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, int> ControlTokens { get; }

    /// <inheritdoc/>
    public override int? MostCharacters { get; }

    /// <inheritdoc/>
    public override bool FindsControls => false;

    /// <inheritdoc/>
    public override Token this[int id]
    {
        get
        {
            SentencePiece piece = Model.Pieces[Checked(id)];
            return piece.Type switch
            {
                SentencePieceType.Control when IsShown(id) => new(TokenKind.Text, piece.Text, Encoding.UTF8.GetBytes(piece.Text)),
                SentencePieceType.Control => new(TokenKind.Control, piece.Text, default),
                SentencePieceType.Unknown => new(TokenKind.Unknown, piece.Text, Encoding.UTF8.GetBytes(Model.Trainer.UnknownSurface)),
                SentencePieceType.Byte => new(TokenKind.Bytes, piece.Text, new[] { (byte)BytePiece.Value(piece.Text) }),
                _ => new(TokenKind.Text, piece.Text, Encoding.UTF8.GetBytes(piece.Text.Replace(SentencePieceNormalizer.EscapedSpace, ' '))),
            };
        }
    }

    /// <inheritdoc/>
    public override void AppendIds(ReadOnlySpan<char> text, List<int> ids)
    {
        char[] buffer = ArrayPool<char>.Shared.Rent(text.Length + 1);
        _encoder.AppendIds(buffer.AsSpan(0, _normalizer.Normalize(text, buffer)), ids);
        ArrayPool<char>.Shared.Return(buffer);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Each text has U+2581 for spaces, and before it the space that the model puts before a text, since SentencePiece encodes the texts between control pieces each by itself. A space
    /// that stands behind a control piece already is that one.
    /// </remarks>
    public override IReadOnlyList<TextPart> Split(string text, bool controls)
    {
        var parts = new List<TextPart>();
        int start = 0;
        while (controls && _controls.Find(text, start, out int at, out int length) is { } id)
        {
            AddText(text[start..at]);
            parts.Add(new TextPart(id, null));
            start = at + length;
        }

        AddText(text[start..]);
        return parts;

        void AddText(string part)
        {
            bool hasSpace = parts.Count > 0 && part.StartsWith(' ') && Model.Normalizer.AddDummyPrefix;
            string normalized = hasSpace ? NormalizeNext(part) : Normalize(part, new EncodeSettings { ConsiderNormalization = true });
            if (normalized.Length > 0)
            {
                parts.Add(new TextPart(0, normalized));
            }
        }
    }

    /// <inheritdoc/>
    public override string NormalizeNext(string text) => Model.Normalizer.EscapeWhitespaces ? text.Replace(' ', SentencePieceNormalizer.EscapedSpace) : text;

    /// <inheritdoc/>
    public override void AppendNormalizedIds(ReadOnlySpan<char> text, List<int> ids) => _encoder.AppendIds(Normalize(text, new EncodeSettings()), ids);

    /// <inheritdoc/>
    public override IncrementalDecoder NewDecoder(bool begun = false) => new SentencePieceDecoder(this, begun);

    /// <summary>Whether an id is a control piece's that decoding shows by its name.</summary>
    internal bool IsShown(int id) => _shown.Contains(id);

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
        return Cut(_encoder.Tokens(normalized, Model.Pieces), settings.MaxTokenCount, normalized);
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

    private int? ControlId(string piece) => ControlTokens.TryGetValue(piece, out int id) ? id : null;
}
