using System.Text.Json;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using T2R.Tests.Tokenization;
using Xunit;

namespace T2R.Tests.Cli;

public sealed class QuantizeVerbTests : IDisposable
{
    private static readonly TinyShape Shape = new() { HybridLayers = [], Hidden = 64, HeadDim = 16, Intermediate = 128 };

    private readonly TemporaryFolder _folder = new();
    private readonly string _model, _text;

    public QuantizeVerbTests()
    {
        (_model, _text) = (_folder["m"], _folder["valid.txt"]);
        var tokenizer = TinyModels.Of(TinyModels.Ranked(TinyModels.English));
        new TinyModel(Shape with { Vocabulary = tokenizer.Pieces.Count }).Save(_model);
        tokenizer.Save(Path.Combine(_model, "tokenizer.model"));
        File.WriteAllText(_text, string.Concat(Enumerable.Range(0, 60).Select(i => $"the tale {i} in a bell. ")));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_quantised_folder_measures_and_generates_as_one_that_is_rounded_on_loading()
    {
        var (code, output, error) = await T2rProcess.Run(["quantize", _model, "--to", "int4", "--out", _folder["q"], "--data", _text, "--window-length", "32", "--json"]);
        Assert.True(code == 0, error);
        JsonElement made = JsonDocument.Parse(output).RootElement;
        Assert.True(made.GetProperty("bytes").GetInt64() < made.GetProperty("source_bytes").GetInt64() / 2);
        double perplexity = made.GetProperty("perplexity").GetDouble();
        Assert.NotEqual(made.GetProperty("source_perplexity").GetDouble(), perplexity);
        Assert.Equal(perplexity, await Measure(_folder["q"]), 1e-9);
        Assert.Equal(perplexity, await Measure(_model, "--quantize", "int4"), 1e-9);
        Assert.Equal(made.GetProperty("source_perplexity").GetDouble(), await Measure(_model), 1e-9);
        Assert.Contains("| perplexity with weights in int4, computed in fp32, over", File.ReadAllText(Path.Combine(_folder["q"], "README.md")));
        Assert.Contains($"predictions | {perplexity:F3} |", File.ReadAllText(Path.Combine(_folder["q"], "README.md")));

        string[] generate = ["--prompt", "the tale", "--temperature", "0", "--max-new-tokens", "20", "--ignore-eos"];
        var stored = await T2rProcess.Run(["generate", _folder["q"], .. generate]);
        Assert.Equal(0, stored.ExitCode);
        Assert.Equal(stored.Output, (await T2rProcess.Run(["generate", _model, "--quantize", "int4", .. generate])).Output);

        var inspected = await T2rProcess.Run(["inspect", _folder["q"]]);
        Assert.Contains("int4", inspected.Output);
    }

    [Fact]
    public async Task Every_mistake_is_named_at_once()
    {
        var (code, _, error) = await T2rProcess.Run(["quantize", _model, "--to", "int3", "--out", _model, "--data", _folder["none.txt"], "--window-length", "1"]);
        Assert.Equal(2, code);
        Assert.Contains("'int3' is not a format", error);
        Assert.Contains("holds a model", error);
        Assert.Contains("none.txt", error);
        Assert.Contains("--window-length is 1", error);
    }

    [Fact]
    public async Task A_folder_in_few_bits_is_not_quantised_again()
    {
        Assert.Equal(0, (await T2rProcess.Run(["quantize", _model, "--to", "int8", "--out", _folder["q"]])).ExitCode);
        var (code, _, error) = await T2rProcess.Run(["quantize", _folder["q"], "--to", "int4", "--out", _folder["again"], "--data", _folder["none.txt"]]);
        Assert.Equal(2, code);
        Assert.Contains("which can be run and nothing else", error);
        Assert.Contains("none.txt", error);
    }

    [Fact]
    public async Task A_model_that_cannot_be_in_few_bits_is_refused_before_it_is_measured()
    {
        new TinyModel(Shape with { HybridLayers = [], Hidden = 32, HeadDim = 8, Intermediate = 32 }).Save(_folder["narrow"]);
        var (code, _, error) = await T2rProcess.Run(["quantize", _folder["narrow"], "--to", "int4", "--out", _folder["q"], "--data", _folder["none.txt"]]);
        Assert.Equal(2, code);
        Assert.Contains("cannot be held in few bits", error);
        Assert.Contains("none.txt", error);
    }

    private async Task<double> Measure(string model, params string[] more)
    {
        var (code, output, error) = await T2rProcess.Run(["eval", model, "--data", _text, "--window-length", "32", "--json", .. more]);
        Assert.True(code == 0, error);
        return JsonDocument.Parse(output).RootElement.GetProperty("perplexity").GetDouble();
    }
}
