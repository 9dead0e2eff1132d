using System.Globalization;
using System.Text;
using T2R.Generation.Serving;
using T2R.Tokenization;

namespace T2R.Server.Api;

/// <summary>What log-probabilities call tokens: a name is one token's alone, so a token is found among the likeliest by its name.</summary>
/// <param name="tokenizer">Whose tokens they are.</param>
internal sealed class TokenNames(SentencePieceTokenizer tokenizer)
{
    // JSON has no infinity.
    private const double Least = -9999;

    /// <summary>The text of a piece; a control piece's own name; <c>bytes:\x0a</c> for a byte, which may be no character.</summary>
    public string this[int id]
    {
        get
        {
            SentencePiece piece = tokenizer.Model.Pieces[id];
            return piece.Type switch
            {
                SentencePieceType.Byte => $"bytes:\\x{Value(piece):x2}",
                SentencePieceType.Control or SentencePieceType.Unknown => piece.Text,
                _ => piece.Text.Replace('\u2581', ' '),
            };
        }
    }

    /// <summary>The bytes of a token in UTF-8; null for a piece that is no text.</summary>
    public int[]? Bytes(int id) => tokenizer.Model.Pieces[id] is { Type: not (SentencePieceType.Control or SentencePieceType.Unknown) } piece
        ? piece.Type == SentencePieceType.Byte ? [Value(piece)] : [.. Encoding.UTF8.GetBytes(this[id]).Select(b => (int)b)]
        : null;

    /// <summary>A token's log-probability as JSON can say it.</summary>
    public static double? Finite(double? logProbability) => logProbability is { } value ? Math.Max(value, Least) : null;

    /// <summary>The likeliest tokens and the one that came, each once, likeliest first.</summary>
    public static IEnumerable<LikelyToken> WithTaken(GenerationToken token)
    {
        IReadOnlyList<LikelyToken> likeliest = token.Likeliest ?? [];
        return token.LogProbability is not { } own || likeliest.Any(l => l.Id == token.Id) ? likeliest : [.. likeliest, new LikelyToken(token.Id, own)];
    }

    // The text of a byte's piece is <0x0A>.
    private static int Value(SentencePiece piece) => int.Parse(piece.Text.AsSpan(3, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
