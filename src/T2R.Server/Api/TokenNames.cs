using System.Text;
using T2R.Generation.Serving;
using T2R.Tokenization;

namespace T2R.Server.Api;

/// <summary>What log-probabilities call tokens: a name is one token's alone, so a token is found among the likeliest by its name.</summary>
/// <param name="tokenizer">Whose tokens they are.</param>
internal sealed class TokenNames(TextTokenizer tokenizer)
{
    // JSON has no infinity.
    private const double Least = -9999;

    // Characters that are a token of text.
    private readonly HashSet<byte> _ascii =
    [
        .. Enumerable.Range(0, tokenizer.VocabularySize).Select(id => tokenizer[id]).Where(t => t.Kind == TokenKind.Text && t.Utf8.Length == 1).Select(t => t.Utf8.Span[0]),
    ];

    /// <summary>
    /// The text of a token; a special token's own name; <c>bytes:\xc3</c> for bytes that may be no characters, or that are one which another token is.
    /// </summary>
    public string this[int id]
    {
        get
        {
            Token token = tokenizer[id];
            return token.Kind switch
            {
                TokenKind.Bytes when token.Utf8.Span is [< 128 and var character] && !_ascii.Contains(character) => ((char)character).ToString(),
                TokenKind.Bytes => $"bytes:{string.Concat(token.Utf8.ToArray().Select(b => $"\\x{b:x2}"))}",
                TokenKind.Text => Encoding.UTF8.GetString(token.Utf8.Span),
                _ => token.Name,
            };
        }
    }

    /// <summary>The bytes of a token in UTF-8; null for one that is no text.</summary>
    public int[]? Bytes(int id) => tokenizer[id] is { Kind: TokenKind.Text or TokenKind.Bytes } token ? [.. token.Utf8.ToArray().Select(b => (int)b)] : null;

    /// <summary>A token's log-probability as JSON can say it.</summary>
    public static double? Finite(double? logProbability) => logProbability is { } value ? Math.Max(value, Least) : null;

    /// <summary>The likeliest tokens and the one that came, each once, likeliest first.</summary>
    public static IEnumerable<LikelyToken> WithTaken(GenerationToken token)
    {
        IReadOnlyList<LikelyToken> likeliest = token.Likeliest ?? [];
        return token.LogProbability is not { } own || likeliest.Any(l => l.Id == token.Id) ? likeliest : [.. likeliest, new LikelyToken(token.Id, own)];
    }
}
