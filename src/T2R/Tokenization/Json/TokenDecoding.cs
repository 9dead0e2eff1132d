using System.Globalization;
using System.Text;

namespace T2R.Tokenization.Json;

/// <summary>How tokens become text: tokenizer.json's <c>decoder</c>.</summary>
internal sealed class TokenDecoding
{
    private static readonly string[] Harmless = ["add_prefix_space", "trim_offsets", "use_regex", "str_rep", "split"];

    private readonly List<(string From, string To)> _replacements = [];
    private bool _fused;

    /// <summary>Whether tokens spell bytes in the characters of <see cref="ByteAlphabet"/>.</summary>
    public bool IsByteLevel { get; private set; }

    /// <summary>Whether tokens like <c>&lt;0x0A&gt;</c> are bytes.</summary>
    public bool ByteFallback { get; private set; }

    /// <summary>How many spaces at a text's beginning are none of the text.</summary>
    public int LeadingSpaces { get; private set; }

    /// <summary>The character for spaces that the first token loses all of; null for none.</summary>
    public char? FirstLoses { get; private set; }

    /// <param name="part">Null for none.</param>
    /// <param name="file">The file.</param>
    public static TokenDecoding Read(JsonPart? part, JsonPart file)
    {
        var decoding = new TokenDecoding();
        if (part is null)
        {
            file.Refuse(".decoder is missing; T2R does not guess how tokens become text.");
        }

        foreach (JsonPart step in part?.Steps("decoders", Harmless) ?? [])
        {
            decoding.Add(step);
        }

        return decoding;
    }

    /// <summary>What a token of the vocabulary stands for.</summary>
    public Token Decode(string token)
    {
        if (IsByteLevel && ByteAlphabet.Bytes(token) is { } bytes)
        {
            return new Token(System.Text.Unicode.Utf8.IsValid(bytes) ? TokenKind.Text : TokenKind.Bytes, token, bytes);
        }

        return ByteFallback && token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)
            ? new Token(TokenKind.Bytes, token, new[] { value })
            : new Token(TokenKind.Text, token, Encoding.UTF8.GetBytes(Replace(token)));
    }

    /// <summary>What a token spells at a text's beginning, if that is another text than elsewhere; else null.</summary>
    public byte[]? DecodeFirst(string token) => FirstLoses is { } space ? Encoding.UTF8.GetBytes(Replace(token.Replace(space.ToString(), "", StringComparison.Ordinal))) : null;

    private string Replace(string token) => _replacements.Aggregate(token, (t, r) => t.Replace(r.From, r.To, StringComparison.Ordinal));

    private void Add(JsonPart part)
    {
        switch (part.Type)
        {
            case "Replace" when !_fused && part.Object("pattern")?.Text("String") is { Length: > 0 } from:
                _replacements.Add((from, part.Text("content") ?? ""));
                break;
            case "ByteFallback" when !_fused:
                ByteFallback = true;
                break;
            case "ByteLevel" when !_fused && _replacements.Count == 0:
                IsByteLevel = true;
                break;
            case "Fuse":
                _fused = true;
                break;
            case "Strip" when _fused && part.Text("content") == " " && part.Number("stop", 0) == 0:
                LeadingSpaces = part.Number("start", 0);
                break;
            case "Metaspace" when !_fused && part.Text("replacement") is { Length: 1 } space && (part.Text("prepend_scheme") ?? "always") is var scheme:
                _replacements.Add((space, " "));
                FirstLoses = scheme != "never" && part.Flag("add_prefix_space", true) ? space[0] : null;
                break;
            default:
                part.Refuse($".type is '{part.Type}', a decoder that T2R does not support, or not here or so; it supports Replace (a String), ByteFallback, ByteLevel, Metaspace, Fuse and, behind Fuse, Strip (spaces at the beginning).");
                return;
        }

        part.End(Harmless);
    }
}
