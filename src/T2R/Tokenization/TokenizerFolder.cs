using System.Text;
using System.Text.Json;
using T2R.Checkpoints;
using T2R.Tokenization.Json;

namespace T2R.Tokenization;

/// <summary>
/// Finds the tokenizer that lies beside a checkpoint: <c>tokenizer.model</c> (SentencePiece), the original where a model has both, or <c>tokenizer.json</c>. The latter is taken though there
/// is a <c>tokenizer.model</c> if that one is tiktoken's (Llama 3's), or lacks tokens that were added to the vocabulary later. A <c>tokenizer.model</c> without such a file has the tokens
/// of <c>added_tokens.json</c> behind its own.
/// </summary>
public static class TokenizerFolder
{
    private const string SentencePieceFile = "tokenizer.model";
    private const string JsonFile = "tokenizer.json";
    private const string ConfigFile = "tokenizer_config.json";

    /// <summary>Opens a folder's tokenizer.</summary>
    /// <param name="folder">A folder with <c>tokenizer.model</c> or <c>tokenizer.json</c>.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="UserErrorException">There is no folder, no tokenizer in it, or one that is damaged or not supported.</exception>
    public static TextTokenizer Open(string folder)
    {
        string path = FileIn(folder);
        if (Path.GetFileName(path) == JsonFile)
        {
            return JsonTokenizer.Load(path);
        }

        string configPath = Path.Combine(folder, ConfigFile);
        JsonElement? config = File.Exists(configPath) && InputFile.ReadJson(configPath) is { ValueKind: JsonValueKind.Object } json ? json : null;
        var (model, shown) = AddedPieces.Join(SentencePieceModel.Load(path), folder, config);
        return new SentencePieceTokenizer(model, shown, SpecialTokens.AddsBeginning(config) ?? true);
    }

    /// <summary>Whether a folder has a tokenizer, be it one that cannot be read.</summary>
    /// <param name="folder">Any folder.</param>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, SentencePieceFile)) || File.Exists(Path.Combine(folder, JsonFile));

    /// <summary>The file that a folder's tokenizer is made of.</summary>
    /// <param name="folder">A folder with <c>tokenizer.model</c> or <c>tokenizer.json</c>.</param>
    /// <returns>Its path.</returns>
    /// <exception cref="UserErrorException">There is no folder, no tokenizer in it, or one that is damaged.</exception>
    public static string FileIn(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new UserErrorException($"{folder}: there is no such folder; one with a {SentencePieceFile} or a {JsonFile} was expected.");
        }

        string model = Path.Combine(folder, SentencePieceFile), json = Path.Combine(folder, JsonFile);
        if (!File.Exists(model))
        {
            return File.Exists(json) ? json : throw new UserErrorException($"{folder}: has no tokenizer; put the model's {SentencePieceFile} (SentencePiece) or {JsonFile} there.");
        }

        if (IsTiktoken(model))
        {
            return File.Exists(json) ? json : throw new UserErrorException($"{model}: is in tiktoken's format, which T2R does not read; put the model's {JsonFile} beside it.");
        }

        return File.Exists(json) && AddsTokens(json, model) ? json : model;
    }

    /// <summary>Says what a folder's tokenizer is, which file it is of, and which it is not.</summary>
    /// <param name="folder">A folder with <c>tokenizer.model</c> or <c>tokenizer.json</c>.</param>
    /// <param name="tokenizer">What <see cref="Open"/> made of it.</param>
    public static string Describe(string folder, TextTokenizer tokenizer)
    {
        var json = tokenizer as JsonTokenizer;
        string other = json is null ? JsonFile : SentencePieceFile;
        string kind = json?.Kind ?? (File.Exists(Path.Combine(folder, AddedPieces.FileName)) ? $"SentencePiece, with {AddedPieces.FileName}" : "SentencePiece");
        return $"{(json is null ? SentencePieceFile : JsonFile)} ({kind}{(File.Exists(Path.Combine(folder, other)) ? $"; {other} beside it is not used" : "")})";
    }

    // Lines of a token in base64, a space and its rank.
    private static bool IsTiktoken(string path)
    {
        Span<byte> beginning = stackalloc byte[64];
        using FileStream file = File.OpenRead(path);
        string text = Encoding.Latin1.GetString(beginning[..file.ReadAtLeast(beginning, beginning.Length, throwOnEndOfStream: false)]);
        return text.Split('\n')[0].TrimEnd('\r').Split(' ') is [{ Length: > 0 } token, "0"] && Convert.TryFromBase64String(token, new byte[64], out _);
    }

    private static bool AddsTokens(string json, string model)
    {
        int pieces = SentencePieceModel.Load(model).Pieces.Count;
        try
        {
            return JsonTokenizerReader.AddedIds(json).Any(id => id >= pieces);
        }
        catch (UserErrorException e)
        {
            throw new UserErrorException([.. e.Problems, $"{json}: which tokens it adds to {SentencePieceFile}, which is whole, cannot be told; mend it, or remove it if it adds none."]);
        }
    }
}
