using System.CommandLine;
using T2R.Bench;
using T2R.Cli.Bench;
using T2R.Conversion;
using T2R.Recipes;
using static TorchSharp.torch;

namespace T2R.Cli.Verbs;

internal static class BenchTrainVerb
{
    public static Command Create()
    {
        var verb = new Verb("train", "Times whole training steps as a recipe has them, of a model with random weights on random ids: neither its model nor its text is looked at.")
        {
            Examples =
            [
                "t2r bench train recipes/mistral-7b-gsa.yaml training.accumulation_steps=1",
                "t2r bench train recipes/mistral-7b-gsa.yaml training.accumulation_steps=1 training.optimizer.name=adamw_bf16 training.recompute=full --json",
                "t2r bench train recipes/mistral-7b-gsa.yaml training.accumulation_steps=1 training.micro_batch_size=8 --layers 8",
                "t2r bench train recipes/quickstart.yaml --config recipes/quickstart/teacher/config.json --steps 20",
            ],
        };
        var recipe = new Argument<string>("recipe") { Description = "A recipe in YAML: its conversion, window length and training count." };
        var overrides = new Argument<string[]>("key=value") { Description = "Settings laid over the recipe's, such as training.micro_batch_size=8.", Arity = ArgumentArity.ZeroOrMore };
        var config = new Option<string>("--config")
        {
            Description = $"The shape before its conversion, in place of the recipe's model: a config.json, or one of {string.Join(", ", RandomModel.Presets.Keys)}.",
            DefaultValueFactory = _ => "mistral-7b",
        };
        var layers = new Option<int?>("--layers") { Description = "Only so many of its layers, from the first." };
        verb.Arguments.Add(recipe);
        verb.Arguments.Add(overrides);
        verb.Options.Add(config);
        verb.Options.Add(layers);
        var options = new BenchOptions(verb);
        var steps = options.Number("--steps", 8, "How many steps; the first two are left out of the median.");
        options.Do(
            (parsed, problems) =>
            {
                var shape = problems.Try(() => Shape(parsed.GetRequiredValue(recipe), parsed.GetValue(overrides) ?? [], parsed.GetRequiredValue(config), parsed.GetValue(layers)));
                return shape is null ? null : new { Shape = shape, Steps = parsed.GetValue(steps) };
            },
            (asked, card, asJson) =>
            {
                var shape = asked.Shape;
                var setup = new TrainingSetup(shape.Config, shape.Teacher, shape.Recipe.Training, shape.Dtype, CUDA);
                Screen.Note("comparing a small model's gradients with fp32");
                var agreements = TrainingBench.Check(setup);
                Screen.Note($"timing {asked.Steps:N0} steps of {shape.Recipe.Training.TokensPerStep:N0} tokens");
                var result = TrainingBench.Run(setup, asked.Steps, step => Screen.Note($"{step.Seconds:F3} s, loss {step.Loss:F3}"));

                // Afterwards: what it takes of the card stays with the allocator, and would count in the steps' peak.
                var rates = RatesView.Measure();
                StepView.Show(card, rates, shape, setup, new StepFindings(agreements, result), asJson);
            });
        return verb;
    }

    private static RecipeShape Shape(string recipe, string[] overrides, string config, int? layers)
    {
        var problems = new Problems();
        var read = problems.Try(() => Recipe.Load(recipe, overrides));
        var shape = problems.Try("--config", () => RandomModel.Shape(config));
        if (layers is { } count && (count < 1 || (shape is not null && count > shape.Layers)))
        {
            problems.Add($"--layers is {count}, expected {(shape is null ? "at least 1" : $"1 to {shape.Layers}, those that {config} has")}.");
        }

        if (read is { Device: RecipeDevice.Cpu })
        {
            problems.Add($"{recipe}: device is cpu, and this times steps on a card; give device=cuda.");
        }

        problems.ThrowIfAny();
        return RecipeShape.Of(read!, shape! with { Mixers = shape!.Mixers[..(layers ?? shape.Layers)] }, config, imagined: null);
    }
}
