using T2R.Checkpoints;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Cli;

public sealed class LogitsVerbTests : IDisposable
{
    private static readonly long[] Ids = [1, 5, 59, 0, 33, 8, 1, 2, 3, 4, 5, 6];

    private readonly TemporaryFolder _folder = new();
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly TinyModel _model = new(new TinyShape { HybridLayers = [1] });

    public LogitsVerbTests() => _model.Save(_folder["m"]);

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("chunk", ScalarType.Int64)]
    [InlineData("recurrent", ScalarType.Int32)]
    [InlineData("reference", ScalarType.Byte)]
    public async Task Logits_of_every_form_are_the_references_and_need_no_tokenizer(string form, ScalarType dtype)
    {
        string ids = Save("ids", tensor(Ids, [2, 6]).to(dtype)), output = _folder["out.safetensors"];
        var (code, text, _) = await T2rProcess.Run(["logits", _folder["m"], "--ids", ids, "--out", output, "--form", form]);
        Assert.Equal((0, ""), (code, text));
        using var file = SafeTensorsFile.Open(output);
        Assert.Equal((ScalarType.Float32, 1), (file["logits"].Dtype, file.Entries.Length));
        for (int row = 0; row < 2; row++)
        {
            LogitsAssert.Close(new ReferenceModel(_model).Logits(Ids[(6 * row)..(6 * (row + 1))]), file.Read("logits")[row]);
        }
    }

    [Fact]
    public async Task Ids_the_model_does_not_have_are_named() =>
        await AssertRefused(Save("ids", tensor((long[])[1, 60], [1, 2])), "60", "vocab_size");

    [Fact]
    public async Task Negative_ids_are_named() => await AssertRefused(Save("ids", tensor((long[])[1, -3], [1, 2])), "-3");

    [Fact]
    public async Task Ids_of_another_rank_and_dtype_are_both_named() => await AssertRefused(Save("ids", ones(3)), "[3]", "[B, T]", "Float32");

    [Fact]
    public async Task No_ids_at_all_are_refused() => await AssertRefused(Save("ids", zeros([1, 0], ScalarType.Int64)), "[1, 0]");

    [Fact]
    public async Task A_file_without_ids_is_refused() => await AssertRefused(Save("tokens", zeros([1, 2], ScalarType.Int64)), "'ids'");

    [Fact]
    public async Task A_mistake_in_the_model_and_one_in_the_ids_are_named_together()
    {
        var (code, _, error) = await T2rProcess.Run(["logits", _folder["none"], "--ids", Save("ids", ones(3)), "--out", _folder["out.safetensors"]]);
        Assert.Equal(2, code);
        Assert.Contains(_folder["none"], error);
        Assert.Contains("[B, T]", error);
    }

    [Fact]
    public async Task A_target_that_cannot_be_written_is_refused()
    {
        var (code, _, error) = await T2rProcess.Run(["logits", _folder["m"], "--ids", Save("ids", tensor(Ids, [2, 6])), "--out", _folder["no/out.safetensors"]]);
        Assert.Equal(2, code);
        Assert.Contains("no/out.safetensors", error);
    }

    private async Task AssertRefused(string ids, params string[] words)
    {
        string output = _folder["out.safetensors"];
        var (code, text, error) = await T2rProcess.Run(["logits", _folder["m"], "--ids", ids, "--out", output]);
        Assert.Equal((2, ""), (code, text));
        Assert.All(words.Append(ids), word => Assert.Contains(word, error));
        Assert.DoesNotContain(_folder.Names, name => name.Contains("out", StringComparison.Ordinal));
    }

    private string Save(string name, Tensor tensor)
    {
        string path = _folder["ids.safetensors"];
        using FileStream stream = File.Create(path);
        var writer = new SafeTensorsWriter(stream, [new TensorSpec(name, tensor.dtype, [.. tensor.shape])]);
        writer.Write(name, tensor);
        writer.Finish();
        return path;
    }
}
