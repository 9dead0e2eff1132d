using System.Text;
using Microsoft.ML.Tokenizers;

namespace T2R.Tokenization.Json;

/// <summary>
/// A tokenizer of a <c>tokenizer.json</c> (https://github.com/huggingface/tokenizers), of the kinds that Mistral's and Llama's models have: byte-pair encoding of characters with byte
/// fallback, or of bytes. Its ids are those of the Rust crate; added tokens that a text spells are found, so a literal <c>&lt;s&gt;</c> is the special token.
/// </summary>
public sealed class JsonTokenizer : TextTokenizer
{
    [ThreadStatic]
    private static List<(int Start, int End)>? t_preTokens;

    private readonly JsonNormalizer _normalizer;
    private readonly PreTokenizer _preTokenizer;
    private readonly TokenDecoding _decoding;
    private readonly AddedTokens _raw;
    private readonly AddedTokens _normalized;
    private readonly RankedBpe _bpe;
    private readonly SpecialTokens _special;
    private readonly Token[] _tokens;

    internal JsonTokenizer(BpeModel model, IReadOnlyList<AddedToken> added, JsonNormalizer normalizer, PreTokenizer preTokenizer, TokenDecoding decoding, SpecialTokens special)
    {
        (_normalizer, _preTokenizer, _decoding, _special) = (normalizer, preTokenizer, decoding, special);
        _raw = new AddedTokens([.. added.Where(t => !t.Normalized).Select(t => (t.Content, t))]);
        _normalized = new AddedTokens([.. added.Where(t => t.Normalized).Select(t => (normalizer.Normalize(t.Content), t)).Where(t => t.Item1.Length > 0)]);
        _bpe = new RankedBpe(model, preTokenizer.IsByteLevel);
        _tokens = new Token[model.Vocabulary.Values.Concat(added.Select(t => t.Id)).Max() + 1];
        Array.Fill(_tokens, new Token(TokenKind.Control, "", default));
        foreach ((string token, int id) in model.Vocabulary)
        {
            _tokens[id] = decoding.Decode(token);
        }

        foreach (AddedToken token in added)
        {
            _tokens[token.Id] = token.Special ? new(TokenKind.Control, token.Content, default) : decoding.Decode(token.Content);
        }

        MostCharacters = (model.FusesUnknown && model.UnknownId is not null && !model.ByteFallback) || preTokenizer.Cutters.Any(c => c.Removes) ? null : model.Vocabulary.Keys.Max(t => Math.Max(t.Length, 2));
        FoundTokens = [.. added.Select(t => t.Content)];
        ControlTokens = added.Where(t => t.Special).ToDictionary(t => t.Content, t => t.Id, StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public override int VocabularySize => _tokens.Length;

    /// <inheritdoc/>
    public override int? BeginningOfSentenceId => _special.Beginning;

    /// <inheritdoc/>
    public override int? PromptBeginId => _special.PromptBeginning;

    /// <inheritdoc/>
    public override int? EndOfSentenceId => _special.End;

    /// <inheritdoc/>
    public override int? PadId => _special.Pad;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, int> ControlTokens { get; }

    /// <inheritdoc/>
    public override IEnumerable<string> FoundTokens { get; }

    /// <inheritdoc/>
    public override int? MostCharacters { get; }

    /// <inheritdoc/>
    public override bool FindsControls => true;

    /// <inheritdoc/>
    public override Token this[int id] => _tokens[Checked(id)];

    /// <summary>What it encodes.</summary>
    internal string Kind => _preTokenizer.IsByteLevel ? "byte-pair encoding of bytes" : "byte-pair encoding of characters";

    /// <summary>Reads a file, and from those beside it which tokens begin and end a text.</summary>
    /// <param name="path">The file, usually called <c>tokenizer.json</c>.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="UserErrorException">The file is missing, damaged, or has what is not supported: all that, at once.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static JsonTokenizer Load(string path) => JsonTokenizerReader.Read(path);

    /// <inheritdoc/>
    public override void AppendIds(ReadOnlySpan<char> text, List<int> ids) => AppendIds(Split(text.ToString(), controls: true), ids);

    /// <inheritdoc/>
    public override IReadOnlyList<TextPart> Split(string text, bool controls)
    {
        var parts = new List<TextPart>();
        string whole = WithoutLoneSurrogates(text);
        _raw.Cut(whole, controls, (raw, start, end) =>
        {
            if (raw is { } id)
            {
                parts.Add(new TextPart(id, null));
                return;
            }

            string normalized = _normalizer.Normalize(whole[start..end]);
            _normalized.Cut(normalized, controls, (found, from, to) =>
                parts.Add(found is { } inner ? new TextPart(inner, null) : new TextPart(0, _preTokenizer.Prepare(normalized[from..to], isFirst: start == 0 && from == 0))));
        });
        return parts;
    }

    /// <inheritdoc/>
    public override string NormalizeNext(string text) => _preTokenizer.PrepareNext(_normalizer.NormalizeNext(text));

    /// <inheritdoc/>
    public override void AppendNormalizedIds(ReadOnlySpan<char> text, List<int> ids)
    {
        List<(int Start, int End)> preTokens = t_preTokens ??= [];
        preTokens.Clear();
        _preTokenizer.Cut(text, preTokens);
        foreach ((int start, int end) in preTokens)
        {
            _bpe.AppendIds(text[start..end], ids);
        }
    }

    /// <inheritdoc/>
    public override IncrementalDecoder NewDecoder(bool begun = false) => new JsonDecoder(this, _decoding, begun);

    /// <inheritdoc/>
    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        if (settings.MaxTokenCount < int.MaxValue)
        {
            EncodeResults<EncodedToken> tokens = EncodeToTokens(text, textSpan, settings);
            return new() { Tokens = [.. tokens.Tokens.Select(t => t.Id)], NormalizedText = tokens.NormalizedText, CharsConsumed = tokens.CharsConsumed };
        }

        IReadOnlyList<TextPart> parts = Parts(text ?? textSpan.ToString(), settings);
        var ids = new List<int>();
        AppendIds(parts, ids);
        string normalized = string.Concat(parts.Select(p => p.Text ?? _tokens[p.Id].Name));
        return new() { Tokens = ids, NormalizedText = normalized, CharsConsumed = normalized.Length };
    }

    /// <inheritdoc/>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var normalized = new StringBuilder();
        var tokens = new List<EncodedToken>();
        foreach (TextPart part in Parts(text ?? textSpan.ToString(), settings))
        {
            AddTokens(part, normalized.Length, tokens);
            normalized.Append(part.Text ?? _tokens[part.Id].Name);
        }

        return Cut(tokens, settings.MaxTokenCount, normalized.ToString());
    }

    private void AppendIds(IReadOnlyList<TextPart> parts, List<int> ids)
    {
        foreach (TextPart part in parts)
        {
            if (part.Text is null)
            {
                ids.Add(part.Id);
            }
            else
            {
                AppendNormalizedIds(part.Text, ids);
            }
        }
    }

    private IReadOnlyList<TextPart> Parts(string text, EncodeSettings settings) =>
        settings.ConsiderNormalization ? Split(text, controls: true) : [new TextPart(0, WithoutLoneSurrogates(text))];

    private static string WithoutLoneSurrogates(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            return text;
        }

        char[] clean = text.ToCharArray();
        SentencePieceNormalizer.ReplaceLoneSurrogates(clean);
        return new string(clean);
    }

    private void AddTokens(TextPart part, int offset, List<EncodedToken> tokens)
    {
        if (part.Text is null)
        {
            string name = _tokens[part.Id].Name;
            tokens.Add(new EncodedToken(part.Id, name, offset..(offset + name.Length)));
            return;
        }

        List<(int Start, int End)> preTokens = [];
        List<int> ids = [], ends = [];
        _preTokenizer.Cut(part.Text, preTokens);
        foreach ((int start, int end) in preTokens)
        {
            ids.Clear();
            ends.Clear();
            _bpe.AppendTokens(part.Text.AsSpan(start, end - start), ids, ends);
            int from = start;
            for (int i = 0; i < ids.Count; i++)
            {
                tokens.Add(new EncodedToken(ids[i], _tokens[ids[i]].Name, (offset + from)..(offset + start + ends[i])));
                from = start + ends[i];
            }
        }
    }
}
