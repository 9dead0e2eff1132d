using System.Text.Json;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using T2R.Tests.Tokenization;
using Xunit;

namespace T2R.Tests.Cli;

public sealed class EvalVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _model, _text;

    public EvalVerbTests()
    {
        (_model, _text) = (_folder["m"], _folder["valid.txt"]);
        var tokenizer = TinyModels.Of(TinyModels.Ranked(TinyModels.English));
        new TinyModel(new TinyShape { HybridLayers = [], Vocabulary = tokenizer.Pieces.Count }).Save(_model);
        tokenizer.Save(Path.Combine(_model, "tokenizer.model"));
        File.WriteAllText(_text, string.Concat(Enumerable.Range(0, 60).Select(i => $"the tale {i} in a bell. ")));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Both_forms_measure_the_same_perplexity()
    {
        JsonElement chunk = await Measure("--form", "chunk"), recurrent = await Measure("--form", "recurrent", "--batch-size", "2");
        Assert.Equal(5, chunk.GetProperty("windows").GetInt32());
        Assert.Equal(5 * 31, chunk.GetProperty("predictions").GetInt64());
        Assert.Equal(5 * 31, recurrent.GetProperty("predictions").GetInt64());
        double expected = chunk.GetProperty("perplexity").GetDouble();
        Assert.True(expected > 1);
        Assert.Equal(expected, recurrent.GetProperty("perplexity").GetDouble(), expected * 1e-4);
    }

    [Fact]
    public async Task Token_ids_need_no_tokenizer()
    {
        File.Delete(Path.Combine(_model, "tokenizer.model"));
        string ids = _folder["valid.u16"];
        File.WriteAllBytes(ids, [.. Enumerable.Range(0, 40).SelectMany(i => BitConverter.GetBytes((ushort)(1 + i)))]);
        var (code, output, _) = await T2rProcess.Run(["eval", _model, "--data", ids, "--window-length", "10"]);
        Assert.Equal(0, code);
        Assert.Matches(@"^perplexity [\d.]+ over 36 predictions, 4 windows of 10 tokens", output);
    }

    [Fact]
    public async Task Ids_of_another_tokenizer_are_named()
    {
        string ids = _folder["valid.u16"];
        File.WriteAllBytes(ids, [.. new ushort[] { 1, 5, 60000, 7 }.SelectMany(BitConverter.GetBytes)]);
        var (code, _, error) = await T2rProcess.Run(["eval", _model, "--data", ids, "--window-length", "4"]);
        Assert.Equal(2, code);
        Assert.Contains("60000 at position 2", error);
    }

    [Fact]
    public async Task Every_mistake_is_named_at_once()
    {
        var (code, output, error) = await T2rProcess.Run(["eval", _model, "--data", _folder["none.txt"], "--windows", "0", "--window-length", "1", "--batch-size", "0"]);
        Assert.Equal((2, ""), (code, output));
        Assert.All(["none.txt", "--windows", "--window-length", "--batch-size"], word => Assert.Contains(word, error));
    }

    [Fact]
    public async Task A_text_shorter_than_a_window_is_refused()
    {
        var (code, _, error) = await T2rProcess.Run(["eval", _model, "--data", _text, "--window-length", "100000"]);
        Assert.Equal(2, code);
        Assert.Contains("100000", error);
    }

    private async Task<JsonElement> Measure(params string[] options)
    {
        var (code, output, _) = await T2rProcess.Run(["eval", _model, "--data", _text, "--windows", "5", "--window-length", "32", "--json", .. options]);
        Assert.Equal(0, code);
        return JsonDocument.Parse(output).RootElement;
    }
}
