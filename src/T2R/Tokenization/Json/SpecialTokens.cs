using System.Text.Json;
using T2R.Checkpoints;

namespace T2R.Tokenization.Json;

/// <summary>
/// The tokens that begin, end and fill up texts, which tokenizer.json does not name: from tokenizer_config.json or special_tokens_map.json beside it, else from config.json's ids, else
/// what its post-processor puts around a text.
/// </summary>
/// <param name="Beginning">The id put before a document.</param>
/// <param name="PromptBeginning">The id put before a prompt: the post-processor's, unless <c>add_bos_token</c> in tokenizer_config.json says whether <paramref name="Beginning"/> is.</param>
/// <param name="End">The id put behind one.</param>
/// <param name="Pad">The id that fills up batches.</param>
internal sealed record SpecialTokens(int? Beginning, int? PromptBeginning, int? End, int? Pad)
{
    private static readonly string[] Files = ["tokenizer_config.json", "special_tokens_map.json", "config.json"];

    /// <summary>Finds them.</summary>
    /// <param name="folder">Where the files lie.</param>
    /// <param name="around">What the post-processor puts before and behind a text.</param>
    /// <param name="idOf">A token's id; null if it has none.</param>
    /// <param name="size">Ids are below this.</param>
    /// <param name="problems">Receives what is wrong with the files.</param>
    public static SpecialTokens Find(string folder, PostProcessor around, Func<string, int?> idOf, int size, Problems problems)
    {
        JsonElement?[] files = [.. Files.Select(name => ObjectIn(Path.Combine(folder, name), problems))];
        int? beginning = IdOf("bos") ?? around.Before;
        int? prompt = AddsBeginning(files[0]) switch
        {
            true => around.Before ?? beginning,
            false => null,
            null => around.Before,
        };
        return new SpecialTokens(beginning, prompt, IdOf("eos") ?? around.Behind, IdOf("pad"));

        int? IdOf(string name)
        {
            foreach (JsonElement file in files.OfType<JsonElement>())
            {
                if (file.TryGetProperty($"{name}_token", out JsonElement token) && (Content(token) is { } content ? idOf(content) : null) is { } named)
                {
                    return named;
                }

                if (file.TryGetProperty($"{name}_token_id", out JsonElement id) && First(id) is { ValueKind: JsonValueKind.Number } first && first.TryGetInt32(out int number) && number >= 0 && number < size)
                {
                    return number;
                }
            }

            return null;
        }
    }

    /// <summary>What a tokenizer_config.json says of putting the beginning's token before a prompt; null if it says nothing.</summary>
    public static bool? AddsBeginning(JsonElement? config) => config is { } json && json.TryGetProperty("add_bos_token", out JsonElement adds) ? adds.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    } : null;

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
