using System.Text.Json;
using System.Text.Json.Nodes;
using T2R.Models;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using T2R.Tests.Tokenization.Json;
using T2R.Tokenization;
using T2R.Tokenization.Json;
using Xunit;

namespace T2R.Tests.Cli;

/// <summary>What the program does with a model's folder that has a tokenizer.json and no tokenizer.model.</summary>
public sealed class JsonTokenizerFolderTests : IDisposable
{
    private const int Begin = 281, EndOfTurn = 283, Vocabulary = 290;

    private readonly TemporaryFolder _folder = new();
    private readonly string _model;

    public JsonTokenizerFolderTests()
    {
        _model = _folder["m"];
        var tiny = new TinyModel(new TinyShape { HybridLayers = [], Vocabulary = Vocabulary });
        (tiny.Config["bos_token_id"], tiny.Config["eos_token_id"]) = (Begin, Begin + 1);
        tiny.Save(_model);
        TinyJson.Bytes().Add("<s>").Add("</s>").Add("<|eot|>").Save(Path.Combine(_model, "tokenizer.json"));
        File.WriteAllText(Path.Combine(_model, "tokenizer_config.json"), """{"add_bos_token": true, "bos_token": "<s>", "eos_token": "<|eot|>", "chat_template": "{{ messages[0].content }}"}""");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Texts_are_tokenized()
    {
        File.WriteAllText(_folder["texts.json"], """["the <s>", "é"]""");
        var (code, output, error) = await T2rProcess.Run(["tokenize", _model, "--in", _folder["texts.json"]]);
        Assert.Equal((0, ""), (code, error));
        TextTokenizer tokenizer = TokenizerFolder.Open(_model);
        Assert.Equal([[.. tokenizer.EncodeToIds("the "), Begin], [.. tokenizer.EncodeToIds("é")]], JsonSerializer.Deserialize<int[][]>(output)!);
    }

    [Fact]
    public async Task Text_is_generated_and_begins_once()
    {
        string[] options = ["--max-new-tokens", "30", "--ignore-eos", "--seed", "3"];
        var (code, text, error) = await T2rProcess.Run(["generate", _model, "--prompt", "the", .. options]);
        Assert.Equal((0, ""), (code, error));
        Assert.NotEmpty(text);
        Assert.Equal((0, text, ""), await T2rProcess.Run(["generate", _model, "--prompt", "<s>the", .. options]));
    }

    // As GPT-2's and SmolLM's: neither post-processor nor add_bos_token.
    [Fact]
    public async Task Nothing_is_put_before_a_prompt_where_the_tokenizer_puts_nothing()
    {
        string config = Path.Combine(_model, "tokenizer_config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"add_bos_token\": true, ", "", StringComparison.Ordinal));
        string[] options = ["--max-new-tokens", "30", "--ignore-eos", "--seed", "3"];
        var (code, bare, error) = await T2rProcess.Run(["generate", _model, "--prompt", "the", .. options]);
        Assert.Equal((0, ""), (code, error));
        var (_, begun, _) = await T2rProcess.Run(["generate", _model, "--prompt", "<s>the", .. options]);
        Assert.NotEqual(begun, bare);
        Assert.Equal(0, (await T2rProcess.Run(["generate", _model, "--prompt", "", .. options])).Item1);
    }

    [Fact]
    public async Task A_text_is_measured()
    {
        File.WriteAllText(_folder["valid.txt"], string.Concat(Enumerable.Range(0, 60).Select(i => $"the tale {i} in a bell. ")));
        var (code, output, error) = await T2rProcess.Run(["eval", _model, "--data", _folder["valid.txt"], "--window-length", "32"]);
        Assert.True(code == 0, error);
        Assert.Contains("perplexity", output);
    }

    [Fact]
    public async Task A_folder_says_which_file_its_tokenizer_is_of()
    {
        var (code, output, _) = await T2rProcess.Run(["inspect", _model]);
        Assert.Equal(0, code);
        Assert.Contains("tokenizer.json (byte-pair encoding of bytes), 284 pieces; the 6 ids beyond are never generated", output);
    }

    [Fact]
    public async Task A_folder_tells_where_it_contradicts_itself()
    {
        string config = Path.Combine(_model, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace($"\"bos_token_id\":{Begin}", "\"bos_token_id\":1", StringComparison.Ordinal));
        var (code, output, _) = await T2rProcess.Run(["inspect", _model, "--json"]);
        Assert.Equal(0, code);
        Assert.Contains("bos_token_id is 1, and the tokenizer begins texts with", output);

        File.Delete(Path.Combine(_model, "tokenizer_config.json"));
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"bos_token_id\":1", "\"bos_token_id\":286", StringComparison.Ordinal));
        (code, output, _) = await T2rProcess.Run(["inspect", _model, "--json"]);
        Assert.Equal(0, code);
        Assert.Contains("bos_token_id is 286; expected one of the model", output);
        Assert.Equal(2, (await T2rProcess.Run(["generate", _model, "--prompt", "the"])).Item1);
    }

    [Fact]
    public async Task A_converted_folder_has_the_tokenizers_files_and_the_template()
    {
        new TinyModel(new TinyShape { Vocabulary = Vocabulary }).Save(_folder["softmax"]);
        string[] files = ["tokenizer.json", "tokenizer_config.json"];
        Array.ForEach(files, f => File.Copy(Path.Combine(_model, f), Path.Combine(_folder["softmax"], f)));
        File.WriteAllText(Path.Combine(_folder["softmax"], "chat_template.jinja"), "{{ bos_token }}");
        var (code, _, error) = await T2rProcess.Run(["convert", _folder["softmax"], "--out", _folder["out"]]);
        Assert.True(code == 0, error);
        Assert.All([.. files, "chat_template.jinja"], f => Assert.Equal(File.ReadAllText(Path.Combine(_folder["softmax"], f)), File.ReadAllText(Path.Combine(_folder["out"], f))));
        Assert.IsType<JsonTokenizer>(TokenizerFolder.Open(_folder["out"]));
    }

    [Fact]
    public async Task All_end_ids_of_a_folder_without_generation_config_are_those_of_what_it_is_converted_to()
    {
        var softmax = new TinyModel(new TinyShape { Vocabulary = Vocabulary });
        softmax.Config["eos_token_id"] = new JsonArray(Begin + 1, EndOfTurn);
        softmax.Save(_folder["softmax"]);
        var (code, _, error) = await T2rProcess.Run(["convert", _folder["softmax"], "--out", _folder["out"]]);
        Assert.True(code == 0, error);
        foreach (string file in new[] { "config.json", "generation_config.json" })
        {
            using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder["out"], file)));
            Assert.Equal([Begin + 1, EndOfTurn], json.RootElement.GetProperty("eos_token_id").EnumerateArray().Select(i => i.GetInt32()));
        }
    }

    // An instruct model ends an answer with another token than a document.
    [Fact]
    public void All_ids_that_end_a_text_are_found()
    {
        File.WriteAllText(Path.Combine(_model, "generation_config.json"), """{"eos_token_id": [7, 282]}""");
        using ModelFolder folder = ModelFolder.Open(_model);
        Assert.Equal([Begin + 1, 7, EndOfTurn], folder.Boundaries(folder.OpenTokenizer()).Ends);
        File.WriteAllText(Path.Combine(_model, "generation_config.json"), "{");
        Assert.Contains("generation_config.json", Assert.Throws<UserErrorException>(() => folder.Boundaries(folder.OpenTokenizer())).Message);
    }
}
