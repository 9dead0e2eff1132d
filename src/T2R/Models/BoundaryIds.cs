using System.Text.Json;
using System.Text.Json.Nodes;
using T2R.Checkpoints;
using T2R.Tokenization;

namespace T2R.Models;

/// <summary>
/// The ids that begin and end a model's texts, found in one place for all that generates, serves, measures and trains. The tokenizer's word on what begins a text counts before
/// config.json's and generation_config.json's; a text ends with any id that one of the three names. What a folder does not say is taken from the format (ids 1 and 2) only where the
/// tokenizer has special tokens there, not ordinary text.
/// </summary>
/// <param name="Begin">Stands before each document of a corpus, in training and in measuring; null if there is none.</param>
/// <param name="PromptBegin">Stands before a prompt; null where the tokenizer puts nothing there, as GPT-2's and SmolLM's, whose post-processor has none, or where <c>add_bos_token</c> is false.</param>
/// <param name="Ends">Any of them ends a text.</param>
/// <param name="Warnings">Where the folder contradicts itself and no harm is done.</param>
public sealed record BoundaryIds(int? Begin, int? PromptBegin, IReadOnlyList<int> Ends, IReadOnlyList<string> Warnings)
{
    private static readonly string[] Files = ["config.json", "generation_config.json"];

    /// <summary>Finds them.</summary>
    /// <param name="config">The model.</param>
    /// <param name="tokenizer">Its tokenizer; null if there is none.</param>
    /// <param name="folder">Where its config.json and generation_config.json lie; null for a model without.</param>
    /// <exception cref="UserErrorException">A file is damaged, or the id that begins a text is none of the model's.</exception>
    public static BoundaryIds Of(ModelConfig config, TextTokenizer? tokenizer, string? folder)
    {
        var warnings = new List<string>();
        int size = Math.Min(config.VocabularySize, tokenizer?.VocabularySize ?? int.MaxValue);
        NamedId[] begins = Named("bos_token_id", folder, warnings), ends = Named("eos_token_id", folder, warnings);
        int? begin = tokenizer?.BeginningOfSentenceId ?? (begins is [var first, ..] ? first.Id : IsSpecial(config.BosTokenId) ? config.BosTokenId : null);
        if (tokenizer?.BeginningOfSentenceId is { } own)
        {
            warnings.AddRange(begins.Where(b => b.Id != own).Select(b => $"{b}, and the tokenizer begins texts with '{tokenizer[own].Name}' (id {own}): that is taken."));
        }

        if (begin >= size && tokenizer is not null)
        {
            string place = begins.FirstOrDefault(b => b.Id == begin)?.ToString() ?? $"{folder ?? "the model"}: the tokenizer begins texts with id {begin}";
            throw new UserErrorException($"{place}; expected one of the model's, 0 to {size - 1}. Name the token that begins a text as bos_token in tokenizer_config.json.");
        }

        warnings.AddRange(ends.Where(e => e.Id >= size).Select(e => $"{e}; the model's are 0 to {size - 1}: it ends no text."));
        IEnumerable<int> named = ends.Select(e => e.Id).Concat(tokenizer?.EndOfSentenceId is { } end ? [end] : []);
        int[] all = [.. (named.Any() ? named : config.EosTokenIds.Where(IsSpecial)).Where(id => id < size).Distinct()];
        if (all.Length == 0)
        {
            warnings.Add($"{folder ?? "the model"}: names no id that ends a text: texts end where the number of new tokens does; name it as eos_token_id in generation_config.json.");
        }

        return new BoundaryIds(begin, tokenizer is null ? begin : tokenizer.PromptBeginId, all, warnings);

        bool IsSpecial(int id) => id < size && (tokenizer is null || tokenizer[id].Kind == TokenKind.Control);
    }

    /// <summary>The ids of a prompt: what begins it comes first, and only once if the text spells it too. An empty prompt begins a document.</summary>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="text">Any UTF-16.</param>
    /// <returns>The ids; none for an empty text of a model that has nothing to begin one with.</returns>
    public int[] EncodePrompt(TextTokenizer tokenizer, string text)
    {
        List<int> ids = PromptBegin is { } begin ? [begin] : [];
        tokenizer.AppendIds(text, ids);
        return ids.Count == 0 ? Begin is { } document ? [document] : []
            : [.. ids[ids.Count > 1 && ids[0] == PromptBegin && ids[1] == PromptBegin ? 1.. : ..]];
    }

    /// <summary>Ids as config.json has them: a number, or a list of several.</summary>
    internal static JsonNode Json(IReadOnlyList<int> ids) => ids is [var one] ? one : new JsonArray([.. ids.Select(id => (JsonNode)id)]);

    private static NamedId[] Named(string key, string? folder, List<string> warnings)
    {
        var named = new List<NamedId>();
        foreach (string path in folder is null ? [] : Files.Select(name => Path.Combine(folder, name)).Where(File.Exists))
        {
            JsonElement json = InputFile.ReadJson(path);
            if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            {
                continue;
            }

            var ids = TokenIds.In(value);
            if (ids.IsEmpty)
            {
                warnings.Add($"{path}: {key} is {value.GetRawText()}, expected a token id, or a list of them; it is passed over.");
            }

            named.AddRange(ids.Select(id => new NamedId(path, key, id)));
        }

        return [.. named];
    }

    private sealed record NamedId(string File, string Key, int Id)
    {
        public override string ToString() => $"{File}: {Key} is {Id}";
    }
}
