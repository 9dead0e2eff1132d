using System.Text.Json;
using T2R.Checkpoints;

namespace T2R.Tokenization.Json;

/// <summary>Reads a <c>tokenizer.json</c>; collects all that is wrong with it.</summary>
internal static class JsonTokenizerReader
{
    public static JsonTokenizer Read(string path)
    {
        JsonElement json = InputFile.ReadJson(path);
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new UserErrorException($"{path}: holds a JSON {json.ValueKind}, expected an object.");
        }

        var problems = new Problems();
        var file = new JsonPart(json, path, "", problems);
        JsonNormalizer normalizer = JsonNormalizer.Read(file.Object("normalizer"));
        PreTokenizer preTokenizer = PreTokenizerReader.Read(file.Object("pre_tokenizer"));
        TokenDecoding decoding = TokenDecoding.Read(file.Object("decoder"), file);
        IReadOnlyList<AddedToken> added = AddedToken.Read(file);
        if (file.Object("model") is not { } part)
        {
            file.Refuse(".model is missing or no object; not a tokenizer.json, or damaged.");
            problems.ThrowIfAny();
            throw new InvalidOperationException();
        }

        BpeModel? model = BpeModel.Read(part, preTokenizer.IsByteLevel);
        Check(file, model, added);
        HashSet<int> ids = [.. added.Select(t => t.Id), .. model?.Vocabulary.Values.ToArray() ?? []];
        PostProcessor around = PostProcessor.Read(file.Object("post_processor"), id => model is null || ids.Contains(id));
        problems.ThrowIfAny();
        SpecialTokens special = SpecialTokens.Find(Path.GetDirectoryName(path)!, around, Id, ids.Max() + 1, problems);
        problems.ThrowIfAny();
        return new JsonTokenizer(model!, added, normalizer, preTokenizer, decoding, special);

        int? Id(string token) => added.FirstOrDefault(t => t.Content == token)?.Id ?? (model!.Vocabulary.TryGetValue(token, out int id) ? id : null);
    }

    /// <summary>The ids of a file's added tokens.</summary>
    public static IEnumerable<int> AddedIds(string path)
    {
        var problems = new Problems();
        JsonElement json = InputFile.ReadJson(path);
        IReadOnlyList<AddedToken> added = json.ValueKind == JsonValueKind.Object ? AddedToken.Read(new JsonPart(json, path, "", problems)) : [];
        problems.ThrowIfAny();
        return added.Select(t => t.Id);
    }

    private static void Check(JsonPart file, BpeModel? model, IReadOnlyList<AddedToken> added)
    {
        if (model is null)
        {
            return;
        }

        var byId = model.Vocabulary.ToDictionary(t => t.Value, t => t.Key);
        foreach (AddedToken token in added)
        {
            if (model.Vocabulary.TryGetValue(token.Content, out int id) ? id != token.Id : byId.ContainsKey(token.Id))
            {
                file.Refuse($".added_tokens gives '{token.Content}' the id {token.Id}, which is '{byId.GetValueOrDefault(token.Id, "nothing")}' in the vocabulary; the file contradicts itself, fetch it again.");
            }
        }

        IEnumerable<IEnumerable<AddedToken>> groups = [.. added.GroupBy(t => t.Id), .. added.GroupBy(t => t.Content)];
        foreach (IEnumerable<AddedToken> same in groups.Where(g => g.Count() > 1))
        {
            file.Refuse($".added_tokens names {string.Join(" and ", same.Select(t => $"'{t.Content}' (id {t.Id})"))}; expected each id and each content once.");
        }
    }
}
