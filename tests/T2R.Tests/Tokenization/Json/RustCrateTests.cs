using System.Text.Json.Nodes;
using CsCheck;
using T2R.Server.Prompts;
using T2R.Tests.Checkpoints;
using T2R.Tokenization;
using T2R.Tokenization.Json;
using Xunit;

namespace T2R.Tests.Tokenization.Json;

/// <summary>The ids of the Rust crate tokenizers, which defines the format, for texts made of what is hard.</summary>
public sealed class RustCrateTests
{
    private static readonly Gen<string> Texts = Gen.OneOf(Gen.OneOf(TinyJson.Atoms).Array[0, 24].Select(string.Concat), Gen.String).Select(WithoutLoneSurrogates);

    private static readonly Dictionary<string, Func<JsonObject>> Kinds = new()
    {
        ["Llama 3"] = () => TinyJson.Bytes().Add("<s>").Add("</s>").With("model.ignore_merges", "true"),
        ["SmolLM"] = () => TinyJson.Bytes().Add("<s>").With("pre_tokenizer", """
            {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]}
            """),
        ["GPT-2 with a space before"] = () => Added(TinyJson.Bytes()).With("pre_tokenizer", """{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}"""),
        ["bytes with added tokens"] = () => Added(TinyJson.Bytes()),
        ["digits in runs"] = () => TinyJson.Bytes().With("pre_tokenizer", """
            {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": false}, {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}
            """),
        ["letters by case"] = () => Split(@"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s+", "Isolated"),
        ["regardless of case"] = () => Split(@"(?i:'s|k|the|\s+x)|\p{L}+|\s", "Isolated"),
        ["removed"] = () => Split(@"[\p{P}\p{N}]|\s", "Removed"),
        ["merged with previous"] = () => Split(@"[\p{P}\p{N}]|\s", "MergedWithPrevious"),
        ["merged with next"] = () => Split(@"[\p{P}\p{N}]|\s", "MergedWithNext"),
        ["contiguous"] = () => Split(@"[\p{P}\p{N}]|\s", "Contiguous"),
        ["Mistral"] = TinyJson.Characters,
        ["Mistral with added tokens"] = () => Added(TinyJson.Characters()),
        ["Mistral, ignoring merges"] = () => TinyJson.Characters().With("model.ignore_merges", "true"),
        ["without byte fallback"] = () => TinyJson.Characters().With("model.byte_fallback", "false"),
        ["without byte fallback, unfused"] = () => TinyJson.Characters().With("model.byte_fallback", "false").With("model.fuse_unk", "false"),
        ["Metaspace first"] = () => Metaspace(Added(TinyJson.Characters()), "first", false),
        ["Metaspace first, split"] = () => Metaspace(TinyJson.Characters(), "first", true).With("model.ignore_merges", "true"),
        ["Metaspace always"] = () => Metaspace(Added(TinyJson.Characters()), "always", false),
        ["Metaspace never, split"] = () => Metaspace(TinyJson.Characters(), "never", true),
    };

    public static TheoryData<string> Names => [.. Kinds.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Ids_and_texts_equal_the_crates(string kind)
    {
        using var folder = new TemporaryFolder();
        Kinds[kind]().Save(folder["tokenizer.json"]);
        TextTokenizer ours = JsonTokenizer.Load(folder["tokenizer.json"]);
        using var theirs = new Tokenizers.DotNet.Tokenizer(folder["tokenizer.json"]);
        Texts.Sample(
            text =>
            {
                int[] expected = [.. theirs.Encode(text).Select(id => (int)id)];
                var ids = new List<int>();
                ours.AppendIds(text, ids);
                Assert.Equal(expected, ids);
                Assert.Equal(expected, ours.EncodeToIds(text));
                Assert.InRange(new Prompt([.. ours.Split(text, controls: true)]).FewestIds(ours), 0, ids.Count);
                Assert.Equal(expected, ours.EncodeToTokens(text, out _).Select(t => t.Id));
                Assert.Equal(theirs.Decode([.. ids.Select(id => (uint)id)]), ours.Decode(ids));
            },
            iter: 400,
            threads: 1);
    }

    // Any ids, for the kind whose decoding can be had from a stream.
    [Fact]
    public void Bytes_that_are_no_text_decode_as_the_crate_decodes_them()
    {
        using var folder = new TemporaryFolder();
        TinyJson.Bytes().Add("<s>").Save(folder["tokenizer.json"]);
        TextTokenizer ours = JsonTokenizer.Load(folder["tokenizer.json"]);
        using var theirs = new Tokenizers.DotNet.Tokenizer(folder["tokenizer.json"]);
        Gen.Int[0, ours.VocabularySize - 1].Array[0, 12].Sample(ids => Assert.Equal(theirs.Decode([.. ids.Select(id => (uint)id)]), ours.Decode(ids)), iter: 2000, threads: 1);
    }

    private static JsonObject Added(JsonObject file) => file
        .Add("[INST]", leftStrip: true).Add("<pad>", rightStrip: true, leftStrip: true).Add("word", special: false, singleWord: true).Add("...", special: false, normalized: true)
        .Add("The", special: false, normalized: true, singleWord: true, leftStrip: true).Add("aa", special: false, rightStrip: true).Add("hello", special: false, singleWord: true, rightStrip: true)
        .Add("▁▁", special: false).Add("é", special: false).Add("Ġx", special: false).Add("漢é", special: false);

    private static JsonObject Metaspace(JsonObject file, string scheme, bool split) =>
        file.With("normalizer", null).With("pre_tokenizer", $$"""{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "{{scheme}}", "split": {{(split ? "true" : "false")}}}""");

    private static JsonObject Split(string pattern, string behavior)
    {
        JsonObject file = TinyJson.Bytes();
        JsonNode split = file["pre_tokenizer"]!["pretokenizers"]![0]!;
        (split["pattern"]!["Regex"], split["behavior"]) = (pattern, behavior);
        return file;
    }

    private static string WithoutLoneSurrogates(string text)
    {
        char[] clean = text.ToCharArray();
        SentencePieceNormalizer.ReplaceLoneSurrogates(clean);
        return new string(clean);
    }
}
