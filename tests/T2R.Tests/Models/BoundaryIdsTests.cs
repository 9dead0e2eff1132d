using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tests.Tokenization;
using T2R.Tests.Tokenization.Json;
using Xunit;

namespace T2R.Tests.Models;

public sealed class BoundaryIdsTests : IDisposable
{
    private const int Begin = 281, End = 282, Vocabulary = 290;

    private readonly TemporaryFolder _folder = new();
    private readonly TinyModel _model = new(new TinyShape { HybridLayers = [], Vocabulary = Vocabulary });

    public void Dispose() => _folder.Dispose();

    // In a vocabulary of bytes the format's defaults, 1 and 2, are characters.
    [Fact]
    public void The_formats_ids_count_only_where_the_tokenizer_has_special_tokens_there()
    {
        _model.Config.Remove("bos_token_id");
        _model.Config.Remove("eos_token_id");
        BoundaryIds bytes = Find("{}", null);
        Assert.Equal((null, null), (bytes.Begin, bytes.PromptBegin));
        Assert.Empty(bytes.Ends);
        Assert.Contains("names no id that ends a text", Assert.Single(bytes.Warnings));

        using ModelFolder folder = ModelFolder.Open(_folder["m"]);
        BoundaryIds pieces = folder.Boundaries(TinyModels.Tokenizer(TinyModels.Ranked(TinyModels.English)));
        Assert.Equal((1, 1), (pieces.Begin, pieces.PromptBegin));
        Assert.Equal([2], pieces.Ends);
        Assert.Empty(pieces.Warnings);
    }

    [Fact]
    public void The_tokenizers_word_counts_first_and_a_config_that_says_another_is_told_of()
    {
        (_model.Config["bos_token_id"], _model.Config["eos_token_id"]) = (1, End);
        BoundaryIds found = Find("""{"bos_token": "<s>", "eos_token": "</s>"}""", null);
        Assert.Equal((Begin, null), (found.Begin, found.PromptBegin));
        Assert.Equal([End], found.Ends);
        string warning = Assert.Single(found.Warnings);
        Assert.Contains("config.json: bos_token_id is 1, and the tokenizer begins texts with '<s>' (id 281)", warning);
    }

    [Fact]
    public void An_id_that_nothing_has_is_refused_if_it_begins_a_text_and_passed_over_if_it_ends_one()
    {
        (_model.Config["bos_token_id"], _model.Config["eos_token_id"]) = (286, End);
        string problem = Assert.Throws<UserErrorException>(() => Find("{}", null)).Message;
        Assert.Contains("config.json: bos_token_id is 286; expected one of the model's, 0 to 283", problem);

        _model.Config["bos_token_id"] = Begin;
        BoundaryIds found = Find("{}", """{"eos_token_id": [283, 286, 5000]}""");
        Assert.Equal([End, 283], found.Ends);
        Assert.Equal(2, found.Warnings.Count);
        Assert.All(found.Warnings, w => Assert.Contains("generation_config.json: eos_token_id is ", w));
        Assert.Contains("is -1, expected a token id", Assert.Single(Find("{}", """{"eos_token_id": -1}""").Warnings));
    }

    [Fact]
    public void Added_tokens_that_the_model_has_no_rows_for_are_named()
    {
        var pieces = TinyModels.Of(TinyModels.Ranked(TinyModels.English));
        var model = new TinyModel(new TinyShape { HybridLayers = [], Vocabulary = pieces.Pieces.Count });
        model.Save(_folder["m"]);
        pieces.Save(_folder["m/tokenizer.model"]);
        File.WriteAllText(_folder["m/added_tokens.json"], $$"""{"[PAD]": {{pieces.Pieces.Count}}}""");
        using ModelFolder folder = ModelFolder.Open(_folder["m"]);
        string problem = Assert.Throws<UserErrorException>(folder.OpenTokenizer).Message;
        Assert.Contains($"'[PAD]' ({pieces.Pieces.Count}). ", problem);
        Assert.Contains("added_tokens.json", problem);
    }

    private BoundaryIds Find(string tokenizerConfig, string? generationConfig)
    {
        if (Directory.Exists(_folder["m"]))
        {
            Directory.Delete(_folder["m"], recursive: true);
        }

        _model.Save(_folder["m"]);
        TinyJson.Bytes().Add("<s>").Add("</s>").Add("<|eot|>").Save(_folder["m/tokenizer.json"]);
        File.WriteAllText(_folder["m/tokenizer_config.json"], tokenizerConfig);
        if (generationConfig is not null)
        {
            File.WriteAllText(_folder["m/generation_config.json"], generationConfig);
        }

        using ModelFolder folder = ModelFolder.Open(_folder["m"]);
        return folder.Boundaries(folder.OpenTokenizer());
    }
}
