using System.Text.Json.Nodes;
using T2R.Mixers;
using T2R.Tests.Checkpoints;
using T2R.Tests.Generation.Serving;
using T2R.Tests.Models;
using Xunit;

namespace T2R.Tests.Cli;

public class InspectVerbTests
{
    [Fact]
    public async Task A_transformer_is_described_part_by_part()
    {
        using var folder = new TemporaryFolder();
        var model = new TinyModel(new TinyShape { Vocabulary = TinyTokens.Count + 12, Scaling = new Llama3RopeScaling(8, 1, 4, 8192) });
        model.Config["eos_token_id"] = new JsonArray(2, 7);
        model.Config["architectures"] = new JsonArray("LlamaForCausalLM");
        model.Config["model_type"] = "llama";
        model.Save(folder["m"], maxShardBytes: 20_000);
        File.WriteAllText(folder["m/generation_config.json"], """{"_from_model_config": true, "temperature": 0.6, "eos_token_id": [2, 9], "do_sample": true}""");
        File.WriteAllBytes(folder["m/consolidated.safetensors"], [1]);
        TinyTokens.Tokenizer.Model.Save(folder["m/tokenizer.model"]);

        var (code, output, error) = await T2rProcess.Run(["inspect", folder["m"], "--json"]);
        Assert.Equal((0, ""), (code, error));
        var report = JsonNode.Parse(output)!;
        Assert.Equal("LlamaForCausalLM", (string?)report["architecture"]);
        var parts = report["parameters"]!.AsObject().ToDictionary(p => p.Key, p => (long)p.Value!);
        long vocabulary = TinyTokens.Count + 12, layers = 3;
        Assert.Equal(
            new Dictionary<string, long>
            {
                ["embedding"] = vocabulary * 32, ["attention"] = layers * 32 * (32 + 16 + 16 + 32), ["mlp"] = layers * 3 * 32 * 48, ["norms"] = (2 * layers * 32) + 32, ["head"] = vocabulary * 32,
            },
            parts);
        string[] shards = [.. report["weight_files"]!.AsArray().Select(f => (string)f!)];
        Assert.Equal(Directory.GetFiles(folder["m"], "model-*.safetensors").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal), shards);
        Assert.Equal(["float32"], report["dtypes"]!.AsArray().Select(d => (string)d!));
        Assert.Contains("292 pieces; the 12 ids beyond are never generated", (string?)report["tokenizer"]);
        Assert.Contains("scaled as in Llama 3.1 by 8", (string?)report["rotary"]);
        Assert.Equal("0.6", (string?)report["generation"]!["file"]!["temperature"]);
        Assert.Equal("2 7 9", string.Join(' ', report["generation"]!["ends_at"]!.AsArray()));
        Assert.Equal("generate, serve, eval, train, convert, logits", (string?)report["use"]);

        (code, output, _) = await T2rProcess.Run(["inspect", folder["m"]]);
        Assert.Equal(0, code);
        Assert.Contains("ends at 2, 7, 9; prompts begin with 1", output);
        Assert.Contains($"{shards.Length} shards, {shards[0]} to {shards[^1]}", output);
        Assert.Contains("temperature 0.6, eos_token_id [2, 9], do_sample true", output);
    }

    [Fact]
    public async Task A_recurrent_folder_without_tokenizer_says_what_is_left_to_do_with_it()
    {
        using var folder = new TemporaryFolder();
        var model = new TinyModel(new TinyShape { HybridLayers = [], Tied = true });
        model.Weights["lm_head.weight"] = model.Weights["model.embeddings.weight"];
        model.Save(folder["m"]);

        // It needs no libtorch, not even to compare a tied head that is also stored.
        var report = JsonNode.Parse((await T2rProcess.Run(["inspect", folder["m"], "--json"], new Dictionary<string, string?> { ["T2R_LIBTORCH"] = "/nowhere" })).Output)!;
        Assert.Equal("logits; generate, serve, eval, train need a tokenizer", (string?)report["use"]);
        Assert.Null(report["rotary"]);
        Assert.Null(report["generation"]!["file"]);
        Assert.Contains("recurrent already", (string?)report["convert"]);
    }

    [Fact]
    public async Task A_folder_that_T2R_does_not_support_ends_with_exit_code_2_and_every_reason()
    {
        using var folder = new TemporaryFolder();
        var model = new TinyModel(new TinyShape());
        model.Config["rope_scaling"] = new JsonObject { ["rope_type"] = "yarn", ["factor"] = 4.0 };
        model.Config["attention_bias"] = true;
        model.Save(folder["m"]);
        var (code, output, error) = await T2rProcess.Run(["inspect", folder["m"]]);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("rope_scaling.rope_type is \"yarn\"", error);
        Assert.Contains("attention_bias is true", error);
    }
}
