using System.Text.Json.Nodes;
using T2R.Tests.Checkpoints;
using T2R.Tokenization;
using T2R.Tokenization.Json;

namespace T2R.Tests.Tokenization.Json;

/// <summary>Small tokenizer.json files made on the spot. Ids: 256 bytes, then the merges in their order, then what is added.</summary>
internal static class TinyJson
{
    public const string Llama3Pattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Merges of bytes; Ġ is a space, Ċ a line feed.</summary>
    public static readonly string[] ByteMerges =
    [
        "Ġ Ġ", "h e", "t he", "Ġ the", "Ġ a", "i n", "Ġ in", "l l", "' ll", "' L", "1 2", "12 3", "ĠĠ ĠĠ", "a a", "aa a", "- -", "-- --", "x x", "xx xx", "Ċ Ċ", "Ã ©", "ð Ł", "ðŁ ĺ", "T he", "' s",
    ];

    /// <summary>Merges of characters; ▁ is a space.</summary>
    public static readonly string[] CharacterMerges =
    [
        "▁ t", "h e", "▁t he", "▁ a", "i n", "▁ in", "▁ ▁", "▁▁ ▁▁", "a a", "aa a", "a aa", "- -", "-- --", "l l", "x x", "xx x", "x xx", "xx xx", "é !", "▁▁ ▁", "▁ ▁▁", "t h", "th e",
    ];

    /// <summary>What texts that are hard to cut are made of.</summary>
    public static readonly string[] Atoms =
    [
        " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "'s", "'S", "'ll", "'LL", "'\u017f", "don't", "the", "The", " the", "in", "hello", "1", "12", "1234567", "٣", "½", "Ⅷ", "𝟘𝟙", "𐒠", "𝔘𝔫",
        "𠀀", "漢字", "😀", "👩‍👧", "é", "é!", "e\u0301", "ǅ", "-", "--", "-----", "xxxx", "xxxxxxx", "a", "aa", "aaaaa", "...", "<s>", "</s>", "<unk>", "<pad>", "<0x41>", "[INST]", "word", "▁", "▁▁", "Ġ", "Ġx", "漢é", "k", "K", "\u212a", "tHe", "\u017f", "\0", "\u200b", "\u0378",
        "\U000e0001", "\U0010ffff", "\ue000", "ⓐ", "(\"", "\"),", "_", "\ud83d", "\ude00",
    ];

    /// <summary>Byte-level, as Llama 3's.</summary>
    public static JsonObject Bytes(params string[] merges)
    {
        string[] characters = [.. Enumerable.Range(0, 256).Select(b => ByteAlphabet.Character(b).ToString())];
        JsonObject file = File(characters, merges.Length == 0 ? ByteMerges : merges);
        file["pre_tokenizer"] = JsonNode.Parse("""
            {"type": "Sequence", "pretokenizers": [
              {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": false},
              {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}
            """);
        file["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"]!["Regex"] = Llama3Pattern;
        file["decoder"] = JsonNode.Parse("""{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}""");
        return file;
    }

    /// <summary>Of characters with byte fallback, as Mistral's; ids: the bytes, <c>&lt;unk&gt;</c>, the characters, the merges.</summary>
    public static JsonObject Characters()
    {
        string[] bytes = [.. Enumerable.Range(0, 256).Select(b => BytePiece.Spell((byte)b))];
        string[] characters = [.. string.Concat(CharacterMerges).Replace(" ", "", StringComparison.Ordinal).Select(c => c.ToString()).Distinct()];
        JsonObject file = File([.. bytes, "<unk>", .. characters], CharacterMerges);
        file["model"]!["unk_token"] = "<unk>";
        file["model"]!["fuse_unk"] = true;
        file["model"]!["byte_fallback"] = true;
        file["normalizer"] = JsonNode.Parse("""
            {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
            """);
        file["decoder"] = JsonNode.Parse("""
            {"type": "Sequence", "decoders": [
              {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
            """);
        return file.Add("<s>").Add("</s>");
    }

    /// <summary>Adds a token behind the others.</summary>
    public static JsonObject Add(this JsonObject file, string content, bool special = true, bool singleWord = false, bool leftStrip = false, bool rightStrip = false, bool normalized = false)
    {
        var vocabulary = (JsonObject)file["model"]!["vocab"]!;
        var added = (JsonArray)file["added_tokens"]!;
        int next = 1 + Math.Max(vocabulary.Max(t => (int)t.Value!), added.Select(t => (int)t!["id"]!).DefaultIfEmpty(-1).Max());
        added.Add(new JsonObject
        {
            ["id"] = (int?)vocabulary[content] ?? next,
            ["content"] = content,
            ["single_word"] = singleWord,
            ["lstrip"] = leftStrip,
            ["rstrip"] = rightStrip,
            ["normalized"] = normalized,
            ["special"] = special,
        });
        return file;
    }

    /// <summary>Changes a part.</summary>
    public static JsonObject With(this JsonObject file, string key, string? json)
    {
        string[] path = key.Split('.');
        JsonNode parent = file;
        foreach (string step in path[..^1])
        {
            parent = parent[step]!;
        }

        parent[path[^1]] = json is null ? null : JsonNode.Parse(json);
        return file;
    }

    /// <summary>Writes the file and reads it.</summary>
    public static JsonTokenizer Tokenizer(this JsonObject file)
    {
        using var folder = new TemporaryFolder();
        file.Save(folder["tokenizer.json"]);
        return JsonTokenizer.Load(folder["tokenizer.json"]);
    }

    /// <summary>Writes the file.</summary>
    public static void Save(this JsonObject file, string path) => System.IO.File.WriteAllText(path, file.ToJsonString());

    private static JsonObject File(IEnumerable<string> tokens, string[] merges)
    {
        var vocabulary = new JsonObject();
        foreach (string token in tokens.Concat(merges.Select(m => m.Replace(" ", "", StringComparison.Ordinal))))
        {
            vocabulary.TryAdd(token, vocabulary.Count);
        }

        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray(),
            ["normalizer"] = null,
            ["pre_tokenizer"] = null,
            ["post_processor"] = null,
            ["decoder"] = null,
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["ignore_merges"] = false,
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. merges.Select(m => JsonValue.Create(m))]),
            },
        };
    }
}
