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
    public async Task A_model_that_gives_no_numbers_is_an_error_and_no_perplexity()
    {
        byte[] weights = await File.ReadAllBytesAsync(Path.Combine(_model, "model.safetensors"), TestContext.Current.CancellationToken);
        weights.AsSpan(weights.Length - 4096).Fill(0xFF); // NaN
        await File.WriteAllBytesAsync(Path.Combine(_model, "model.safetensors"), weights, TestContext.Current.CancellationToken);
        foreach (string[] options in new string[][] { ["--windows", "2", "--window-length", "32"], ["--stream"] })
        {
            var (code, output, error) = await T2rProcess.Run(["eval", _model, "--data", _text, .. options]);
            Assert.Equal(2, code);
            Assert.Equal("", output);
            Assert.Contains("weights are damaged", error);
        }
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

    [Fact]
    public async Task One_long_text_is_measured_by_position_and_drawn()
    {
        string ids = _folder["valid.u16"], picture = _folder["p.png"];
        File.WriteAllBytes(ids, [.. Enumerable.Range(0, 3000).SelectMany(i => BitConverter.GetBytes((ushort)(1 + (i * i % 200))))]);
        string[] command = ["eval", _model, "--data", ids, "--stream", "--tokens", "2500", "--plot", picture];
        var (code, output, error) = await T2rProcess.Run(command);
        Assert.Equal((0, ""), (code, error));
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["1 to 511", "512 to 1,023", "1,024 to 2,047", "2,048 to 2,499"], lines[1..5].Select(l => l.Trim()[..l.Trim().LastIndexOf(' ')].Trim()));
        Assert.Matches(@"^perplexity [\d.]+ over 2,499 predictions in one text$", lines[5]);
        Assert.Equal([137, 80, 78, 71], File.ReadAllBytes(picture)[..4]);

        (code, output, _) = await T2rProcess.Run([.. command[..^2], "--json"]);
        Assert.Equal(0, code);
        JsonElement json = JsonDocument.Parse(output).RootElement;
        Assert.Equal(2499, json.GetProperty("predictions").GetInt64());
        Assert.Equal([511, 1023, 2047, 2499], json.GetProperty("positions").EnumerateArray().Select(p => p.GetProperty("last").GetInt64()));
    }

    [Fact]
    public async Task A_result_is_not_lost_with_its_picture()
    {
        Directory.CreateDirectory(_folder["p.png"]);
        var (code, output, _) = await T2rProcess.Run(["eval", _model, "--data", _text, "--stream", "--plot", _folder["p.png"]]);
        Assert.Equal(2, code);
        Assert.Contains("predictions in one text", output);
    }

    [Fact]
    public async Task Options_without_effect_are_refused()
    {
        var (code, _, error) = await T2rProcess.Run(["eval", _model, "--data", _text, "--stream", "--windows", "3", "--form", "recurrent", "--plot", "none/p.pdf", "--tokens", "1"]);
        Assert.Equal(2, code);
        Assert.All(["--windows has no effect with", "--form has no effect with", "p.pdf", "--tokens is 1"], s => Assert.Contains(s, error));
        (code, _, error) = await T2rProcess.Run(["eval", _model, "--data", _text, "--plot", _folder["none/p.png"]]);
        Assert.Equal(2, code);
        Assert.All(["--plot has no effect without", "whose folder does not exist"], s => Assert.Contains(s, error));
    }

    private async Task<JsonElement> Measure(params string[] options)
    {
        var (code, output, _) = await T2rProcess.Run(["eval", _model, "--data", _text, "--windows", "5", "--window-length", "32", "--json", .. options]);
        Assert.Equal(0, code);
        return JsonDocument.Parse(output).RootElement;
    }
}
