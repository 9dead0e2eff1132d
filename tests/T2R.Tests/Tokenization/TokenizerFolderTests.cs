using T2R.Tests.Checkpoints;
using T2R.Tests.Tokenization.Json;
using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Tokenization;

public sealed class TokenizerFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly SentencePieceModel _model = TinyModels.Of(TinyModels.Ranked(TinyModels.English));

    public TokenizerFolderTests() => _model.Save(_folder["tokenizer.model"]);

    public void Dispose() => _folder.Dispose();

    private int Pieces => _model.Pieces.Count;

    [Fact]
    public void Added_tokens_stand_behind_those_of_a_tokenizer_model()
    {
        TextTokenizer plain = TokenizerFolder.Open(_folder.Path);
        File.WriteAllText(_folder["added_tokens.json"], $$"""{"<tool>": {{Pieces + 1}}, "<|im_end|>": {{Pieces}}, "<s>": 1}""");
        File.WriteAllText(_folder["tokenizer_config.json"], $$"""{"added_tokens_decoder": {"{{Pieces + 1}}": {"content": "<tool>", "special": false} } }""");
        TextTokenizer tokenizer = TokenizerFolder.Open(_folder.Path);
        Assert.Equal((plain.VocabularySize + 2, Pieces), (tokenizer.VocabularySize, tokenizer.ControlTokens["<|im_end|>"]));
        Assert.Contains(tokenizer.Split("the<|im_end|>", controls: true), p => p.Text is null && p.Id == Pieces);
        Assert.Equal("the<tool>", tokenizer.Decode([.. plain.EncodeToIds("the"), Pieces, Pieces + 1]));
        Assert.Equal((TokenKind.Control, TokenKind.Text), (tokenizer[Pieces].Kind, tokenizer[Pieces + 1].Kind));
        Assert.Equal(plain.EncodeToIds("the<|im_end|><tool>"), tokenizer.EncodeToIds("the<|im_end|><tool>"));
        Assert.Contains("added_tokens.json", TokenizerFolder.Describe(_folder.Path, tokenizer));
    }

    [Theory]
    [InlineData("{", "added_tokens.json: not valid JSON")]
    [InlineData("[]", "added_tokens.json: holds a JSON Array")]
    [InlineData("{\"<x>\": \"a\"}", "gives '<x>' the id \"a\"")]
    [InlineData("{\"<x>\": 5000}", "gives '<x>' the id 5000, expected")]
    [InlineData("{\"<x>\": 1}", "gives '<x>' the id 1, expected the token that has it, '<s>'")]
    public void Added_tokens_that_do_not_fit_are_named(string json, string expected)
    {
        File.WriteAllText(_folder["added_tokens.json"], json);
        Assert.Contains(expected, Assert.Throws<UserErrorException>(() => TokenizerFolder.Open(_folder.Path)).Message);
    }

    // It may add tokens that the other file lacks.
    [Fact]
    public void A_damaged_tokenizer_json_beside_a_tokenizer_model_is_named()
    {
        File.WriteAllText(_folder["tokenizer.json"], "{\"added_tokens\": [");
        var problems = Assert.Throws<UserErrorException>(() => TokenizerFolder.Open(_folder.Path)).Problems;
        Assert.All(problems, p => Assert.Contains("tokenizer.json: ", p));
        TinyJson.Bytes().Save(_folder["tokenizer.json"]);
        Assert.IsType<SentencePieceTokenizer>(TokenizerFolder.Open(_folder.Path));
    }

    [Fact]
    public void A_prompt_begins_with_the_beginnings_piece_unless_the_config_says_no()
    {
        Assert.Equal(1, TokenizerFolder.Open(_folder.Path).PromptBeginId);
        File.WriteAllText(_folder["tokenizer_config.json"], """{"add_bos_token": false}""");
        TextTokenizer tokenizer = TokenizerFolder.Open(_folder.Path);
        Assert.Equal((1, null), (tokenizer.BeginningOfSentenceId, tokenizer.PromptBeginId));
    }
}
