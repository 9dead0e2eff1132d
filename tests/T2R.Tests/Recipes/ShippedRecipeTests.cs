using T2R.Conversion;
using T2R.Data;
using T2R.Mixers;
using T2R.Models;
using T2R.Recipes;
using T2R.Training;
using T2R.Training.Memory;
using Xunit;

namespace T2R.Tests.Recipes;

/// <summary>What the recipes of the repository promise.</summary>
public class ShippedRecipeTests
{
    private const double GiB = 1L << 30;

    // What drivers report of an H100 of 80 GB and of an RTX 5090 of 32 GB.
    [Theory]
    [InlineData("mistral-7b-gsa", 79.1, 26)]
    [InlineData("mistral-7b-gsa-one-card", 31.8, 0)]
    public void The_recipes_for_7B_fit_the_cards_they_name(string name, double gibibytes, int recordedBlocks)
    {
        var recipe = Load(name);
        var card = CardMemory.Imagined((long)(gibibytes * GiB));
        var plan = MemoryPlan.Of(Converted(recipe), recipe.Training, recipe.Dtype!.Value, teacher: null, card);
        Assert.True(plan.Fits(card), $"{plan.Total / GiB:F1} GiB");
        Assert.Equal(recordedBlocks, plan.RecordedBlocks);
    }

    [Fact]
    public void The_recipe_of_the_paper_is_the_papers()
    {
        var training = Load("mistral-7b-gsa").Training;
        Assert.Equal((3e-5, 0.01, 1, 1000, 2048), (training.Optimizer.LearningRate, training.Optimizer.WeightDecay, training.ClipNorm, training.WarmupSteps, training.WindowLength));
        Assert.InRange(training.TokensPerStep, 1.9e6, 2.2e6);
        Assert.InRange(training.TokensPerStep * training.Steps, 19.9e9, 20.1e9);
    }

    [Fact]
    public void What_a_recipe_for_7B_misses_is_named_at_once()
    {
        var error = Assert.Throws<UserErrorException>(() => RecipePlan.Of(Load("mistral-7b-gsa", "model.source=no-such-model", "data.train=[no-such-text]")));
        Assert.Contains(error.Problems, p => p.Contains("no-such-model: no such folder"));
        Assert.Contains(error.Problems, p => p.Contains("no-such-text"));
    }

    [Fact]
    public void Recovery_is_measured_at_seven_moments_over_20_M_tokens()
    {
        var training = Load("recovery").Training;
        Assert.Equal(32768, training.TokensPerStep);
        Assert.Equal([7, 15, 30, 61, 152, 305, 610], Enumerable.Range(1, training.Steps).Where(training.EvaluatesAfter));
        Assert.Empty(IdleOptions.In(training, Converted(Load("mistral-7b-gsa")), hasHeldOut: true, onCard: true));
    }

    [Fact]
    public void Recovery_is_measured_on_the_windows_that_others_were_measured_on()
    {
        var reference = TokenStream.FromFile(SharedData.Path("lab/valid.u16"), beginId: 1);
        var recipe = Load(
            "recovery",
            $"model.source={SharedData.Path("lab/teacher")}",
            $"data.train=[{SharedData.Path("text/prose-train.jsonl.zst")}]",
            $"data.validation=[{SharedData.Path("text/prose-valid.jsonl.zst")}]");
        using var plan = RecipePlan.Of(recipe);
        var stream = TokenStream.Build(plan.Validation!, plan.Tokenizer, plan.Tokenizer.BeginningOfSentenceId!.Value, new TokenizingOptions { Cancellation = TestContext.Current.CancellationToken });
        Assert.Equal(reference.Count, stream.Count);
        int differing = Enumerable.Range(0, recipe.Training.EvaluationWindows * recipe.Training.WindowLength).Count(i => reference[i] != stream[i]);
        Assert.Equal(0, differing);
        Assert.Equal(256, recipe.Training.EvaluationWindows);
    }

    private static Recipe Load(string name, params string[] overrides) => Recipe.Load(Path.Combine(Repository.Root, "recipes", $"{name}.yaml"), overrides);

    // Mistral-7B with every layer replaced.
    private static ModelConfig Converted(Recipe recipe) => RandomModel.Presets["mistral-7b"] with
    {
        Mixers = [.. Enumerable.Repeat<MixerConfig>(new GatedSlotAttentionConfig(32, 8, 128, recipe.Conversion!.Slots), 32)],
    };
}
