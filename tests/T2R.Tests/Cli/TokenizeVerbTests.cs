using System.Text.Json;
using T2R.Tests.Checkpoints;
using T2R.Tests.Tokenization;
using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Cli;

public sealed class TokenizeVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TokenizeVerbTests() => TinyModels.Of(TinyModels.Ranked(TinyModels.English)).Save(_folder["tokenizer.model"]);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Texts_become_ids_in_a_file_or_on_standard_output()
    {
        string[] texts = ["the in", "", "<s>\n😀", "\u0000 abc"];
        int[][] expected = [.. texts.Select(text => TokenizerFolder.Open(_folder.Path).EncodeToIds(text).ToArray())];
        string input = Write(JsonSerializer.Serialize(texts));
        var (code, output, error) = await T2rProcess.Run(["tokenize", _folder.Path, "--in", input]);
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(expected, JsonSerializer.Deserialize<int[][]>(output)!);
        Assert.Equal((0, "", ""), await T2rProcess.Run(["tokenize", _folder.Path, "--in", input, "--out", _folder["ids.json"]]));
        Assert.Equal(output, await File.ReadAllTextAsync(_folder["ids.json"], TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("[\"a\", 1, \"b\", null]", "element 1 is a number", "element 3 is null")]
    [InlineData("{\"texts\": []}", "an array of strings was expected", "found an object")]
    [InlineData("[\"a\", \"b", "not valid JSON at element 1", "mend the file")]
    [InlineData("[\"a\"] []", "not valid JSON", "element 1")]
    [InlineData("[\"a\", \"\\ud83d\"]", "element 1 is not text", "surrogate")]
    [InlineData("", "not valid JSON", "element 0")]
    public async Task A_file_of_something_else_is_refused_and_nothing_written(string json, params string[] expected) =>
        await AssertRefused(["tokenize", _folder.Path, "--in", Write(json), "--out", _folder["ids.json"]], expected);

    [Fact]
    public async Task A_missing_tokenizer_and_missing_texts_are_named_together() =>
        await AssertRefused(["tokenize", _folder["none"], "--in", _folder["none.json"]], "no such folder", "none.json: there is no such file");

    [Fact]
    public async Task A_target_in_a_missing_folder_is_named() =>
        await AssertRefused(["tokenize", _folder.Path, "--in", Write("[]"), "--out", _folder["none/ids.json"]], "its folder does not exist");

    [Fact]
    public async Task A_tokenizer_is_trained_on_files()
    {
        File.WriteAllText(_folder["corpus.jsonl"], "{\"text\": \"the state of the gate\"}\n{\"text\": \"the gate of the state\"}\n");
        string[] arguments = ["train-tokenizer", "--out", _folder["trained.model"], "--vocabulary-size", "276", _folder["corpus.jsonl"]];
        var (code, output, error) = await T2rProcess.Run(arguments);
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("276 pieces", output);
        Assert.Equal(276, SentencePieceModel.Load(_folder["trained.model"]).Pieces.Count);
        await AssertRefused([.. arguments[..4], "4096", arguments[5]], "too large");
        await AssertRefused([.. arguments, _folder["none.txt"]], "none.txt: no such file");
    }

    private async Task AssertRefused(string[] arguments, params string[] expected)
    {
        string[] before = [.. _folder.Names];
        var (code, output, error) = await T2rProcess.Run(arguments);
        Assert.Equal((2, ""), (code, output));
        Assert.All(expected, words => Assert.Contains(words, error));
        Assert.Equal(before, _folder.Names);
    }

    private string Write(string json)
    {
        File.WriteAllText(_folder["texts.json"], json);
        return _folder["texts.json"];
    }
}
