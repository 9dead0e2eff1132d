using System.Text.Json.Nodes;
using T2R.Tests.Checkpoints;
using T2R.Tests.Conversion;
using Xunit;

namespace T2R.Tests.Cli;

public class ConversionVerbTests
{
    [Fact]
    public async Task A_dry_run_shows_the_ledger_and_writes_nothing()
    {
        using var temporary = new TemporaryFolder();
        await MakeRandom(temporary["source"]);
        var (code, output, _) = await T2rProcess.Run(["convert", temporary["source"], "--out", temporary["target"], "--dry-run"]);
        Assert.Equal(0, code);
        Assert.Matches(@"new +2 +16,384 +forget gates", output);
        Assert.Contains("Nothing was written", output);
        Assert.Equal(["source"], temporary.Names);
    }

    [Fact]
    public async Task A_folder_is_converted_and_inspected()
    {
        using var temporary = new TemporaryFolder();
        await MakeRandom(temporary["source"]);
        var (code, output, error) = await T2rProcess.Run(["convert", temporary["source"], "--out", temporary["target"], "--slots", "8", "--keep-softmax", "1", "--json"]);
        Assert.Equal((0, ""), (code, error));
        Assert.False((bool)JsonNode.Parse(output)!["dry_run"]!);

        var report = JsonNode.Parse((await T2rProcess.Run(["inspect", temporary["target"], "--json"])).Output)!;
        Assert.Equal("GSA", (string?)report["format"]);
        var source = JsonNode.Parse((await T2rProcess.Run(["inspect", temporary["source"], "--json"])).Output)!;
        var record = JsonNode.Parse(File.ReadAllText(temporary["target/conversion.json"]))!;
        Assert.Equal((string?)source["fingerprint"], (string?)record["source_fingerprint"]);
        Assert.NotEqual((string?)source["fingerprint"], (string?)report["fingerprint"]);
        Assert.Equal("gated slot attention, 8 slots; softmax attention in 1", (string?)report["layer_kinds"]);
        // 2 tensors of 2 kv heads · 8 slots · 16 numbers of 4 bytes, and 1000 tokens of keys and values in bf16.
        Assert.Equal((2 * 2 * 8 * 16 * 4) + (1000 * 2 * 2 * 16 * 2), (int)report["state_bytes"]!["1000"]!);
    }

    [Theory]
    [InlineData("fp32")]
    [InlineData("bf16")]
    public async Task Libtorch_is_there_when_a_conversion_rounds_or_compares(string dtype)
    {
        using var temporary = new TemporaryFolder();
        TinyTransformer.Write(temporary["source"], TinyTransformer.Config with { TieWordEmbeddings = true });
        ConverterTests.StoreTheHead(temporary["source"]);
        var (code, output, error) = await T2rProcess.Run(["convert", temporary["source"], "--out", temporary["target"], "--dtype", dtype]);
        Assert.Equal((0, ""), (code, error));
        Assert.Matches("dropped +1 ", output);
    }

    [Fact]
    public async Task All_mistakes_of_a_command_line_are_reported_with_exit_code_2()
    {
        var (code, output, error) = await T2rProcess.Run(["convert", "/nowhere", "--out", "x", "--keep-softmax", "0,one", "--dtype", "int4"]);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("/nowhere", error);
        Assert.Contains("'one' is not a layer's number", error);
        Assert.Contains("'int4' is not a dtype", error);
    }

    [Fact]
    public async Task A_target_that_exists_is_refused_with_exit_code_2_and_replaced_by_force()
    {
        using var temporary = new TemporaryFolder();
        await MakeRandom(temporary["source"]);
        string[] convert = ["convert", temporary["source"], "--out", temporary["target"]];
        Assert.Equal(0, (await T2rProcess.Run(convert)).ExitCode);
        var (code, _, error) = await T2rProcess.Run(convert);
        Assert.Equal(2, code);
        Assert.Contains("exists and holds a model; replace it with --force", error);
        Assert.Equal((2, error), await DryRun([]));
        Assert.Equal((0, ""), await DryRun(["--force"]));
        Assert.Equal(0, (await T2rProcess.Run([.. convert, "--force"])).ExitCode);

        async Task<(int, string)> DryRun(string[] more)
        {
            var (dryCode, _, dryError) = await T2rProcess.Run([.. convert, "--dry-run", .. more]);
            return (dryCode, dryError);
        }
    }

    [Fact]
    public async Task A_conversion_without_libtorch_ends_with_exit_code_2_and_leaves_nothing()
    {
        using var temporary = new TemporaryFolder();
        await MakeRandom(temporary["source"]);
        var (code, _, error) = await T2rProcess.Run(["convert", temporary["source"], "--out", temporary["target"]], new Dictionary<string, string?> { ["T2R_LIBTORCH"] = "/nowhere" })
            .WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.Equal(2, code);
        Assert.StartsWith("error: T2R_LIBTORCH is set to /nowhere", error);
        Assert.Equal(["source"], temporary.Names);
    }

    [Fact]
    public async Task A_random_model_can_have_the_shape_of_a_config()
    {
        using var temporary = new TemporaryFolder();
        await MakeRandom(temporary["a"]);
        var (code, output, _) = await T2rProcess.Run(["make-random", "--config", temporary["a/config.json"], "--out", temporary["b"], "--seed", "1", "--dtype", "bf16"]);
        Assert.Equal(0, code);
        Assert.Contains("random parameters lie in", output);
        Assert.Equal(File.ReadAllBytes(temporary["a/model.safetensors"]), File.ReadAllBytes(temporary["b/model.safetensors"]));

        (code, output, _) = await T2rProcess.Run(["make-random", "--config", "mistral-tiny", "--out", temporary["json"], "--json", "--seed", "9"]);
        var made = JsonNode.Parse(output)!;
        Assert.Equal((0, 9, 2 * (long)made["parameters"]!, "bfloat16"), (code, (int)made["seed"]!, (long)made["bytes"]!, (string?)made["dtype"]));

        (code, _, string error) = await T2rProcess.Run(["make-random", "--config", "mistral-8b", "--out", temporary["c"]]);
        Assert.Equal(2, code);
        Assert.Contains("mistral-7b", error);
    }

    private static async Task MakeRandom(string path) =>
        Assert.Equal(0, (await T2rProcess.Run(["make-random", "--config", "mistral-tiny", "--out", path])).ExitCode);
}
