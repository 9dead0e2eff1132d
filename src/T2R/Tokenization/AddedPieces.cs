using System.Text.Json;
using T2R.Checkpoints;

namespace T2R.Tokenization;

/// <summary>
/// The tokens of <c>added_tokens.json</c>, ids by content, which fine-tuned models (ChatML's) have behind those of a <c>tokenizer.model</c>. They are control pieces, which a text that
/// spells them does not become, so that nobody can say them in a conversation; those that <c>added_tokens_decoder</c> in tokenizer_config.json calls not special are shown when a model
/// writes them.
/// </summary>
internal static class AddedPieces
{
    /// <summary>What the file is called.</summary>
    public const string FileName = "added_tokens.json";

    /// <summary>A model with a folder's added tokens, and the ids of those that are shown; the same model if there are none.</summary>
    /// <param name="model">The folder's <c>tokenizer.model</c>.</param>
    /// <param name="folder">The folder.</param>
    /// <param name="config">Its tokenizer_config.json; null if it has none.</param>
    /// <exception cref="UserErrorException">The file is damaged or does not fit the model: names the tokens.</exception>
    public static (SentencePieceModel Model, IReadOnlySet<int> Shown) Join(SentencePieceModel model, string folder, JsonElement? config)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return (model, new HashSet<int>());
        }

        JsonElement json = InputFile.ReadJson(path);
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new UserErrorException($"{path}: holds a JSON {json.ValueKind}, expected an object with ids by token.");
        }

        var problems = new Problems();
        var pieces = new List<SentencePiece>(model.Pieces);
        var shown = new HashSet<int>();
        foreach (var (content, id) in Tokens(json, path, problems).OrderBy(t => t.Id))
        {
            if (id == pieces.Count)
            {
                pieces.Add(new SentencePiece(content, 0, SentencePieceType.Control));
                if (!IsSpecial(id, config))
                {
                    shown.Add(id);
                }
            }
            else if (id > pieces.Count || pieces[id].Text != content)
            {
                problems.Add($"{path}: gives '{content}' the id {id}, expected {(id > pieces.Count ? $"{pieces.Count}, the next that is free behind tokenizer.model" : $"the token that has it, '{pieces[id].Text}'")}; the files do not belong together.");
            }
        }

        problems.ThrowIfAny();
        return (new SentencePieceModel(pieces, model.Trainer, model.Normalizer, path), shown);
    }

    private static List<(string Content, int Id)> Tokens(JsonElement json, string path, Problems problems)
    {
        var tokens = new List<(string, int)>();
        foreach (JsonProperty token in json.EnumerateObject())
        {
            if (token.Name.Length > 0 && token.Value.ValueKind == JsonValueKind.Number && token.Value.TryGetInt32(out int id) && id >= 0)
            {
                tokens.Add((token.Name, id));
            }
            else
            {
                problems.Add($"{path}: gives '{token.Name}' the id {token.Value.GetRawText()}; expected a token and a whole number, 0 or more.");
            }
        }

        return tokens;
    }

    private static bool IsSpecial(int id, JsonElement? config) => !(config is { } json
        && json.TryGetProperty("added_tokens_decoder", out JsonElement all) && all.ValueKind == JsonValueKind.Object
        && all.TryGetProperty(id.ToString(), out JsonElement token) && token.ValueKind == JsonValueKind.Object
        && token.TryGetProperty("special", out JsonElement special) && special.ValueKind == JsonValueKind.False);
}
