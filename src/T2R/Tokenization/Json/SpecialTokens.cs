using System.Text.Json;
using T2R.Checkpoints;

namespace T2R.Tokenization.Json;

/// <summary>
/// The tokens that begin, end and fill up texts, which tokenizer.json does not name: from tokenizer_config.json or special_tokens_map.json beside it, else from config.json's ids, else
/// what its post-processor puts around a text.
/// </summary>
/// <param name="Beginning">The id put before a text.</param>
/// <param name="End">The id put behind one.</param>
/// <param name="Pad">The id that fills up batches.</param>
internal sealed record SpecialTokens(int? Beginning, int? End, int? Pad)
{
    private static readonly string[] Files = ["tokenizer_config.json", "special_tokens_map.json", "config.json"];

    /// <summary>Finds them.</summary>
    /// <param name="folder">Where the files lie.</param>
    /// <param name="around">What the post-processor puts before and behind a text.</param>
    /// <param name="idOf">A token's id; null if it has none.</param>
    /// <param name="problems">Receives what is wrong with the files.</param>
    public static SpecialTokens Find(string folder, (int? Before, int? Behind) around, Func<string, int?> idOf, Problems problems)
    {
        JsonElement?[] files = [.. Files.Select(name => ObjectIn(Path.Combine(folder, name), problems))];
        return new SpecialTokens(IdOf("bos") ?? around.Before, IdOf("eos") ?? around.Behind, IdOf("pad"));

        int? IdOf(string name)
        {
            foreach (JsonElement file in files.OfType<JsonElement>())
            {
                if (file.TryGetProperty($"{name}_token", out JsonElement token) && (Content(token) is { } content ? idOf(content) : null) is { } named)
                {
                    return named;
                }

                if (file.TryGetProperty($"{name}_token_id", out JsonElement id) && First(id) is { ValueKind: JsonValueKind.Number } first && first.TryGetInt32(out int number) && number >= 0)
                {
                    return number;
                }
            }

            return null;
        }
    }

    // A text, or an added token.
    private static string? Content(JsonElement token) => token.ValueKind switch
    {
        JsonValueKind.String => token.GetString(),
        JsonValueKind.Object when token.TryGetProperty("content", out JsonElement content) && content.ValueKind == JsonValueKind.String => content.GetString(),
        _ => null,
    };

    private static JsonElement First(JsonElement ids) => ids.ValueKind == JsonValueKind.Array && ids.GetArrayLength() > 0 ? ids[0] : ids;

    private static JsonElement? ObjectIn(string path, Problems problems)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        JsonElement? json = null;
        problems.Try(() => { json = InputFile.ReadJson(path); });
        return json is { ValueKind: JsonValueKind.Object } ? json : null;
    }
}
