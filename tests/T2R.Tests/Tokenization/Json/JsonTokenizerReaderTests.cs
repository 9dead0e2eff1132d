using System.Text.Json.Nodes;
using CsCheck;
using T2R.Tests.Checkpoints;
using T2R.Tokenization;
using T2R.Tokenization.Json;
using Xunit;

namespace T2R.Tests.Tokenization.Json;

public sealed class JsonTokenizerReaderTests
{
    [Theory]
    [InlineData("model.type", "\"Unigram\"", "model.type is 'Unigram'; T2R supports BPE alone")]
    [InlineData("model.type", "\"WordPiece\"", "model.type is 'WordPiece'")]
    [InlineData("model.dropout", "0.1", "model.dropout is 0.1")]
    [InlineData("model.end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix is '</w>'")]
    [InlineData("model.continuing_subword_prefix", "\"##\"", "model.continuing_subword_prefix is '##'")]
    [InlineData("model.unk_token", "\"<none>\"", "model.unk_token is '<none>', which is not in the vocabulary")]
    [InlineData("model.byte_fallback", "true", "256 of the 256 bytes' tokens")]
    [InlineData("model.byte_fallback", "3", "model.byte_fallback is 3, expected true or false")]
    [InlineData("model.something_new", "true", "model.something_new is true: T2R does not know this key")]
    [InlineData("model.vocab", "{\"a\": 0, \"b\": 0}", "model.vocab gives 'b' the id 0")]
    [InlineData("model.vocab", "{\"a\": 2000000000}", "from 0 to 16777215")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?i:[a-z])\"}, \"behavior\": \"Isolated\"}", "the class at '[a-z])' inside of (?i:")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?i:a(?:\\\\p{Lu}))\"}, \"behavior\": \"Isolated\"}", "'\\p' inside of (?i:")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?i:é)\"}, \"behavior\": \"Isolated\"}", "inside of (?i:")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?i:Ss)\"}, \"behavior\": \"Isolated\"}", "'Ss)' inside of (?i:")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a{2}?\"}, \"behavior\": \"Isolated\"}", "the quantifier at '{2}?'")]
    [InlineData("model.vocab", "{\"\": 0}", "a token without characters (id 0)")]
    [InlineData("model.vocab", "{}", "model.vocab lacks 256 of the 256 bytes' characters")]
    [InlineData("model.vocab", "[]", "model.vocab is missing or no object")]
    [InlineData("model.merges", "[\"a\"]", "model.merges[0] is a; expected two tokens")]
    [InlineData("model.merges", "[[\"a\", \"b\"]]", "model.merges[0]")]
    [InlineData("model.merges", "{}", "model.merges is missing or no list")]
    [InlineData("model", null, "model is missing")]
    [InlineData("model", "[]", "model is [], expected an object")]
    [InlineData("normalizer", "{\"type\": \"NFKC\"}", "normalizer.type is 'NFKC'")]
    [InlineData("normalizer", "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Lowercase\"}]}", "normalizer.normalizers[0].type is 'Lowercase'")]
    [InlineData("normalizer", "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"a\"}, \"content\": \"b\"}", "normalizer.pattern is no")]
    [InlineData("pre_tokenizer", "{\"type\": \"Whitespace\"}", "pre_tokenizer.type is 'Whitespace'")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\w+\"}, \"behavior\": \"Isolated\"}", "'\\w'")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"^a\"}, \"behavior\": \"Isolated\"}", "the anchor '^'")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a&&b]\"}, \"behavior\": \"Isolated\"}", "the class at")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[一-龥\\\\u0800-\\uffff]\"}, \"behavior\": \"Isolated\"}", "the range in the class")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\p{Han}\"}, \"behavior\": \"Isolated\"}", "'\\p'")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a*\"}, \"behavior\": \"Isolated\"}", "matches nothing at all")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a\"}, \"behavior\": \"Isolated\"}", "regular expression")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"a?+b\"}, \"behavior\": \"Isolated\"}", "regular expression")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, \"behavior\": \"Around\"}", "pre_tokenizer.behavior is 'Around'")]
    [InlineData("pre_tokenizer", "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"ByteLevel\"}, {\"type\": \"Digits\"}]}", "pretokenizers[1].type is 'Digits' behind ByteLevel")]
    [InlineData("pre_tokenizer", "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\"}, {\"type\": \"ByteLevel\"}]}", "add_prefix_space is true behind another")]
    [InlineData("pre_tokenizer", null, "neither unk_token nor byte_fallback")]
    [InlineData("post_processor", "{\"type\": \"RobertaProcessing\"}", "post_processor.type is 'RobertaProcessing'")]
    [InlineData("post_processor", "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"a\"}}, {\"SpecialToken\": {\"id\": \"b\"}}, {\"Sequence\": {\"id\": \"A\"}}], \"special_tokens\": {\"a\": {\"ids\": [97]}, \"b\": {\"ids\": [98]}}}", "puts 'a' (id 97) and 'b' (id 98) before a text; T2R supports one token there")]
    [InlineData("post_processor", "{\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": \"A\"}}, {\"SpecialToken\": {\"id\": \"a\"}}, {\"SpecialToken\": {\"id\": \"b\"}}], \"special_tokens\": {\"a\": {\"ids\": [97]}, \"b\": {\"ids\": [98]}}}", "puts 'a' (id 97) and 'b' (id 98) behind a text")]
    [InlineData("post_processor", "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"a\"}}, {\"Sequence\": {\"id\": \"A\"}}], \"special_tokens\": {\"a\": {\"ids\": [-97]}, \"b\": {\"ids\": [98]}}}", "special_tokens gives 'a' no id of the vocabulary's")]
    [InlineData("post_processor", "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"a\"}}, {\"Sequence\": {\"id\": \"A\"}}], \"special_tokens\": {\"a\": {\"ids\": [90000]}, \"b\": {\"ids\": [98]}}}", "special_tokens gives 'a' no id of the vocabulary's")]
    [InlineData("decoder", null, "decoder is missing")]
    [InlineData("decoder", "{\"type\": \"WordPiece\"}", "decoder.type is 'WordPiece'")]
    [InlineData("decoder", "{\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}", "decoder.type is 'Strip'")]
    [InlineData("added_tokens", "[{\"id\": 97, \"content\": \"new\"}]", "gives 'new' the id 97, which is 'a'")]
    [InlineData("added_tokens", "[{\"id\": 9, \"content\": \"a\"}]", "gives 'a' the id 9")]
    [InlineData("added_tokens", "[{\"id\": 900, \"content\": \"x1\"}, {\"id\": 900, \"content\": \"x2\"}]", "'x1' (id 900) and 'x2' (id 900)")]
    [InlineData("added_tokens", "[{\"content\": \"x1\"}]", "added_tokens[0] has id -1")]
    public void What_is_not_supported_is_named(string key, string? json, string expected)
    {
        var error = Assert.Throws<UserErrorException>(() => TinyJson.Bytes().With(key, json).Tokenizer());
        Assert.Contains(error.Problems, p => p.Contains("tokenizer.json: ", StringComparison.Ordinal) && p.Contains(expected, StringComparison.Ordinal));
    }

    // This one tries every way of reading a text, which for 100 characters would take years.
    [Fact]
    public void A_pattern_that_cannot_be_searched_for_is_named()
    {
        JsonTokenizer tokenizer = TinyJson.Bytes().With("pre_tokenizer.pretokenizers", """
            [{"type": "Split", "pattern": {"Regex": "(?:a|aa)+b"}, "behavior": "Isolated"}, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]
            """).Tokenizer();
        Assert.NotEmpty(tokenizer.EncodeToIds("aab"));
        var error = Assert.Throws<UserErrorException>(() => tokenizer.EncodeToIds(new string('a', 100) + "!b"));
        Assert.Contains("'(?:a|aa)+b'", error.Message);
    }

    [Fact]
    public void All_that_is_wrong_is_named_at_once()
    {
        JsonObject file = TinyJson.Bytes().With("normalizer", "{\"type\": \"BertNormalizer\"}").With("model.dropout", "0.5").With("decoder", "{\"type\": \"CTC\"}").With("post_processor", "{\"type\": \"BertProcessing\"}");
        Assert.Equal(4, Assert.Throws<UserErrorException>(file.Tokenizer).Problems.Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"model\": ")]
    [InlineData("[]")]
    [InlineData("{}")]
    public void A_damaged_file_is_named(string json)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.json"], json);
        Assert.Contains("tokenizer.json", Assert.Throws<UserErrorException>(() => TokenizerFolder.Open(folder.Path)).Message);
    }

    // Whatever stands where something else belongs: it is named, or it works.
    [Fact]
    public void A_file_with_anything_anywhere_is_refused_or_works()
    {
        string[] values = ["null", "3", "-1", "1e99", "true", "\"x\"", "\"\"", "\"Sequence\"", "[]", "{}", "[1]", "[[]]", "[{}]", "{\"type\": \"Split\"}", "{\"a\": \"\\ud83d\\ude00\"}", "\"▁\"", "\" \""];
        Gen.Select(Gen.Bool, Gen.Int[0, 10_000], Gen.OneOf(values), Gen.Bool).Sample(
            (bytes, place, value, removes) =>
            {
                JsonObject file = bytes ? TinyJson.Bytes().Add("<s>").Add("aa", special: false, normalized: true) : TinyJson.Characters();
                (JsonNode parent, string key)[] places = [.. Places(file)];
                var (parent, key) = places[place % places.Length];
                Change(parent, key, removes ? null : value);
                try
                {
                    JsonTokenizer tokenizer = file.Tokenizer();
                    tokenizer.Decode(tokenizer.EncodeToIds("the <s> aa é😀"));
                }
                catch (UserErrorException e)
                {
                    Assert.All(e.Problems, p => Assert.Contains("tokenizer.json: ", p));
                }
            },
            iter: 1500);
    }

    [Fact]
    public void Merges_are_pairs_or_texts()
    {
        JsonObject pairs = TinyJson.Bytes("a b", "ab c").With("model.merges", "[[\"a\", \"b\"], [\"ab\", \"c\"]]");
        Assert.Equal(TinyJson.Bytes("a b", "ab c").Tokenizer().EncodeToIds("abcab"), pairs.Tokenizer().EncodeToIds("abcab"));
    }

    [Fact]
    public void What_begins_and_ends_a_text_is_told_by_the_files_beside_it()
    {
        using var folder = new TemporaryFolder();
        JsonObject file = TinyJson.Bytes().Add("<s>").Add("</s>").Add("<p>");
        int begin = (int)file["added_tokens"]![0]!["id"]!;
        file.Save(folder["tokenizer.json"]);
        Assert.Equal((null, null, null), Specials());
        file.With("post_processor", $$$"""
            {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}, {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
             "special_tokens": {"<s>": {"id": "<s>", "ids": [{{{begin}}}], "tokens": ["<s>"]} } }]}
            """).Save(folder["tokenizer.json"]);
        Assert.Equal((begin, null, null), Specials());
        Assert.Equal(begin, TokenizerFolder.Open(folder.Path).PromptBeginId);
        File.WriteAllText(folder["tokenizer_config.json"], """{"add_bos_token": false}""");
        Assert.Null(TokenizerFolder.Open(folder.Path).PromptBeginId);
        File.WriteAllText(folder["config.json"], """{"bos_token_id": 90000}""");
        Assert.Equal((begin, null, null), Specials());
        File.WriteAllText(folder["config.json"], $$"""{"bos_token_id": 7, "eos_token_id": [{{begin + 1}}, 5]}""");
        Assert.Equal((7, begin + 1, null), Specials());
        File.WriteAllText(folder["special_tokens_map.json"], """{"bos_token": {"content": "</s>"}}""");
        Assert.Equal((begin + 1, begin + 1, null), Specials());
        File.WriteAllText(folder["tokenizer_config.json"], """{"bos_token": "<s>", "eos_token": "</s>", "pad_token": {"content": "<p>"}}""");
        Assert.Equal((begin, begin + 1, begin + 2), Specials());

        (int?, int?, int?) Specials()
        {
            TextTokenizer tokenizer = TokenizerFolder.Open(folder.Path);
            return (tokenizer.BeginningOfSentenceId, tokenizer.EndOfSentenceId, tokenizer.PadId);
        }
    }

    // All but the vocabulary's and the merges' entries, of which there are many alike.
    private static IEnumerable<(JsonNode Parent, string Key)> Places(JsonNode node) => node switch
    {
        JsonObject all => all.Where(p => all.Count < 100 || p.Value!.GetValue<int>() < 3).SelectMany(p => Inside(all, p.Key, p.Value)),
        JsonArray list => list.Take(3).SelectMany((v, i) => Inside(list, i.ToString(), v)),
        _ => [],
    };

    private static IEnumerable<(JsonNode Parent, string Key)> Inside(JsonNode parent, string key, JsonNode? value) => [(parent, key), .. value is null ? [] : Places(value)];

    private static void Change(JsonNode parent, string key, string? json)
    {
        JsonNode? value = json is null ? null : JsonNode.Parse(json);
        if (parent is JsonArray list)
        {
            list[int.Parse(key)] = value;
        }
        else if (json is null)
        {
            ((JsonObject)parent).Remove(key);
        }
        else
        {
            parent[key] = value;
        }
    }

    [Fact]
    public void A_tokenizer_model_gives_way_where_it_is_tiktokens_or_lacks_added_tokens()
    {
        using var folder = new TemporaryFolder();
        SentencePieceModel model = TinyModels.Of(TinyModels.Ranked(TinyModels.English));
        File.WriteAllText(folder["tokenizer.model"], "IQ== 0\nIg== 1\n");
        Assert.Contains("tiktoken", Assert.Throws<UserErrorException>(() => TokenizerFolder.Open(folder.Path)).Message);
        TinyJson.Bytes().Add("<s>").Save(folder["tokenizer.json"]);
        Assert.IsType<JsonTokenizer>(TokenizerFolder.Open(folder.Path));
        model.Save(folder["tokenizer.model"]);
        Assert.IsType<SentencePieceTokenizer>(TokenizerFolder.Open(folder.Path));
        TinyJson.Bytes().With("added_tokens", $$"""[{"id": {{model.Pieces.Count}}, "content": "<|im_end|>", "special": true}]""").Save(folder["tokenizer.json"]);
        Assert.IsType<JsonTokenizer>(TokenizerFolder.Open(folder.Path));
        Assert.Contains("tokenizer.model beside it is not used", TokenizerFolder.Describe(folder.Path, TokenizerFolder.Open(folder.Path)));
    }
}
