using System.Text.Json;
using T2R.Bench;
using T2R.Cli;
using T2R.Cli.Bench;
using T2R.Conversion;
using T2R.Recipes;
using T2R.Training.Memory;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Cli;

public class BenchVerbTests
{
    private static readonly string Mistral = Path.Combine(Repository.Root, "recipes", "mistral-7b-gsa.yaml");
    private static readonly CardRates Rates = new(3e12, 5e14);

    private static readonly Dictionary<string, Agreement> Agreements = new() { ["loss"] = new(1e-4, 1), ["dq"] = new(2e-2, 0.9995) };

    [Fact]
    public async Task Everything_wrong_with_a_layer_is_said_at_once()
    {
        var (code, output, error) = await T2rProcess.Run(["bench", "block", "--length", "0", "--hidden", "-4", "--heads", "6", "--kv-heads", "4", "--json"]);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("--length is 0, expected at least 1", error);
        Assert.Contains("--hidden is -4, expected at least 1", error);
        Assert.Contains("--heads is 6, expected a multiple of --kv-heads, which is 4", error);
    }

    [Fact]
    public async Task Everything_wrong_with_a_training_is_said_at_once()
    {
        var (code, output, error) = await T2rProcess.Run(["bench", "train", Mistral, "training.micro_batch=8", "device=cpu", "--config", "mistral-70b", "--layers", "0", "--steps", "0"]);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("unknown key training.micro_batch; did you mean training.micro_batch_size?", error);
        Assert.Contains("--config: 'mistral-70b' is neither a config.json nor one of the known shapes", error);
        Assert.Contains("--layers is 0, expected at least 1", error);
        Assert.Contains("--steps is 0, expected at least 1", error);
    }

    [Theory]
    [InlineData("--layers is 40, expected 1 to 32, those that mistral-7b has", "--layers", "40")]
    [InlineData("device is cpu, and this times steps on a card; give device=cuda", "device=cpu")]
    public async Task A_training_that_cannot_be_timed_is_refused(string expected, params string[] arguments)
    {
        var (code, output, error) = await T2rProcess.Run(["bench", "train", Mistral, .. arguments]);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains(expected, error);
    }

    [Fact]
    public void A_result_that_is_wrong_is_told_in_its_own_words() =>
        Assert.Equal(["dq is off"], Failure.Sentences(new WrongResultException("dq is off")));

    [Fact]
    public void A_layers_JSON_has_agreements_and_times_by_name()
    {
        var shape = new OperatorShape(1, 8192, 32, 8, 128, 64);
        var json = Json(LayerView.Document("a card", Rates, shape, new BenchResult(Agreements, [new BenchLine("forward", 3e-4, 1e-4)])));
        Assert.Equal("a card", json.GetProperty("card").GetString());
        Assert.Equal(8, json.GetProperty("shape").GetProperty("key_value_heads").GetInt32());
        Assert.Equal(2e-2, json.GetProperty("agreements").GetProperty("dq").GetProperty("error").GetDouble());
        var line = Assert.Single(json.GetProperty("lines").EnumerateArray());
        Assert.Equal(("forward", 3e-4, 3), (line.GetProperty("name").GetString(), line.GetProperty("seconds").GetDouble(), (int)Math.Round(line.GetProperty("times_floor").GetDouble())));
    }

    [Fact]
    public void A_steps_JSON_has_speed_floor_memory_loss_and_what_was_checked()
    {
        var recipe = Recipe.Load(Mistral, ["training.accumulation_steps=1", "training.optimizer.name=adamw_bf16", "training.recompute=full"]);
        var shape = RecipeShape.Of(recipe, "mistral-7b", CardMemory.Imagined(80L << 30));
        var setup = new TrainingSetup(shape.Config, shape.Teacher, shape.Recipe.Training, shape.Dtype, CPU);
        TrainingBenchStep[] steps = [new(1, 11.2, 5, 6), new(1, 11.1, 5, 6), new(0.8192, 10.9, 5, 6)];
        var json = Json(StepView.Document("a card", Rates, shape, setup, new StepFindings(Agreements, new TrainingBenchResult(steps, 8192, 7))));
        Assert.Equal(10_000, json.GetProperty("tokens_per_second").GetDouble(), 1e-6);
        Assert.Equal(57.16e9, json.GetProperty("operations_per_token").GetDouble(), 0.02e9);
        Assert.Equal(5e14 / 57.16e9 / 10_000, json.GetProperty("times_floor").GetDouble(), 1e-3);
        Assert.Equal(("adamw_bf16", "full", 32), (json.GetProperty("optimizer").GetProperty("name").GetString(), json.GetProperty("recompute").GetString(), json.GetProperty("layers").GetInt32()));
        Assert.Equal((11.2, 10.9, 7), (json.GetProperty("first_loss").GetDouble(), json.GetProperty("last_loss").GetDouble(), json.GetProperty("peak_bytes").GetInt64()));
        Assert.True(json.GetProperty("planned_bytes").GetInt64() > 40L << 30);
        Assert.Equal("dq", json.GetProperty("check").GetProperty("worst").GetString());
        Assert.Equal(3, json.GetProperty("steps").GetArrayLength());
    }

    [Fact]
    public void The_check_of_a_7B_keeps_its_heads_and_slots()
    {
        var config = RecipeShape.Of(Recipe.Load(Mistral, []), "mistral-7b", CardMemory.Imagined(80L << 30)).Config;
        var small = GradientCheck.Small(config);
        Assert.Equal(config.Mixers[..2], small.Mixers);
        Assert.NotEqual(RandomModel.Presets["mistral-7b"].HiddenSize, small.HiddenSize);
    }

    private static JsonElement Json(object document) => JsonDocument.Parse(Screen.Json(document)).RootElement;
}
