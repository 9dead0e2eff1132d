using T2R.Data;
using T2R.Recipes;
using T2R.Training;
using T2R.Tests.Tokenization.Json;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Recipes;

public class RecipeTests
{
    public static TheoryData<string> Recipes => [.. Directory.GetFiles(Path.Combine(Repository.Root, "recipes"), "*.yaml").Select(f => Path.GetFileName(f))];

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Every_recipe_of_the_repository_loads(string name) => Assert.NotEmpty(Recipe.Load(Path.Combine(Repository.Root, "recipes", name), []).Description);

    [Fact]
    public void The_quickstarts_plan_holds_against_the_world()
    {
        using var plan = RecipePlan.Of(Recipe.Load(Path.Combine(Repository.Root, "recipes", "quickstart.yaml"), []));
        Assert.True(plan.Config.IsRecurrent);
        Assert.True(plan.NeedsTeacher);
        Assert.Empty(plan.Warnings.Concat(plan.TrainingWarnings));
        Assert.True(plan.Memory.Total > 0);
    }

    // In a vocabulary of bytes the format's defaults, 1 and 2, are characters.
    [Fact]
    public void A_model_from_random_weights_has_its_tokenizers_ids()
    {
        using var world = new TinyWorld();
        Directory.CreateDirectory(world["bytes"]);
        TinyJson.Bytes().Add("<s>").Add("</s>").Save(world["bytes/tokenizer.json"]);
        File.WriteAllText(world["bytes/tokenizer_config.json"], """{"bos_token": "<s>", "eos_token": "</s>"}""");
        using var plan = world.Plan([.. world.FromRandomWeights, $"model.tokenizer={world["bytes"]}"]);
        Assert.Equal((281, 281), (plan.Config.BosTokenId, plan.Boundaries.Begin));
        Assert.Null(plan.Boundaries.PromptBegin);
        Assert.Equal([282], plan.Config.EosTokenIds);
        Assert.Equal([282], plan.Boundaries.Ends);
    }

    [Fact]
    public void A_minimal_recipe_has_documented_defaults()
    {
        using var file = new RecipeFile(RecipeFile.Minimal);
        var recipe = file.Load();
        Assert.Null(recipe.Conversion);
        Assert.Null(recipe.Dtype);
        Assert.Equal(RecipeDevice.Auto, recipe.Device);
        Assert.Equal(new TrainingOptions { Steps = 1 }.Optimizer, recipe.Training.Optimizer);
        Assert.Equal(64, recipe.Training.WindowLength);
    }

    [Fact]
    public void Overrides_reach_nested_keys_list_items_and_lists_and_are_YAML()
    {
        using var file = new RecipeFile(RecipeFile.Minimal + "  stages: [{name: a, steps: 2}, {name: b}]\n");
        var recipe = file.Load(
            "training.optimizer.learning_rate=3e-3", "training.stages.0.steps=4", "samples.prompts=[\"a: b\", c]", "data.format=jsonl", "training.steps=1_000", "dtype=bf16", "training.steps=20");
        Assert.Equal(3e-3, recipe.Training.Optimizer.LearningRate);
        Assert.Equal(4, recipe.Training.Stages[0].Steps);
        Assert.Equal(["a: b", "c"], recipe.Samples.Prompts);
        Assert.Equal(CorpusFormat.Jsonl, recipe.Data.Format);
        Assert.Equal(20, recipe.Training.Steps);
        Assert.Equal(ScalarType.BFloat16, recipe.Dtype);
    }

    [Fact]
    public void The_resolved_recipe_is_the_same_recipe()
    {
        using var file = new RecipeFile(RecipeFile.Minimal);
        var recipe = file.Load("description=Wait...", "training.steps=20", "conversion.slots=8", "samples.prompts=['# a', \"b\\n\", Once...]");
        using var again = new RecipeFile(recipe.Resolved);
        var reread = again.Load();
        Assert.Equal(recipe.Resolved, reread.Resolved);
        Assert.Equal(20, reread.Training.Steps);
        Assert.Equal(8, reread.Conversion!.Slots);
        Assert.Equal(["# a", "b\n", "Once..."], reread.Samples.Prompts);
        Assert.Equal("Wait...", reread.Description);
    }

    [Fact]
    public void Paths_in_the_file_start_at_its_folder_and_paths_of_the_command_line_where_the_user_stands()
    {
        using var file = new RecipeFile(RecipeFile.Minimal);
        var recipe = file.Load("data.train=[there, '!there/not', ~/text, /abs, 'nuget:P/1/*.xml']");
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        Assert.Equal(Path.Combine(file.Folder, "teacher"), recipe.Model.Source);
        Assert.Equal(["there", "!there/not", Path.Combine(home, "text"), "/abs", "nuget:P/1/*.xml"], recipe.Data.Train.Single().Text.Paths);
        Assert.Equal([Path.Combine(file.Folder, "text")], file.Load().Data.Train.Single().Text.Paths);
        Assert.Equal(Path.Combine(home, "m"), file.Load("model.source=~/m").Model.Source);
        Assert.Equal([Path.Combine(file.Folder, "text"), "more"], Load("data.train.1=more"));

        string[] Load(string assignment)
        {
            using var two = new RecipeFile(RecipeFile.Minimal.Replace("[text]", "[text, other]", StringComparison.Ordinal));
            return [.. two.Load(assignment).Data.Train.Single().Text.Paths.Select(p => p.Replace(two.Folder, file.Folder, StringComparison.Ordinal))];
        }
    }

    [Fact]
    public void Whole_numbers_are_exact()
    {
        using var file = new RecipeFile(RecipeFile.Minimal);
        Assert.Equal(9_007_199_254_740_993, file.Load("model.seed=9007199254740993").Model.Seed);
        Assert.Equal(1_000_000, file.Load("training.steps=1e6").Training.Steps);
        Assert.Equal([5, 1_000_000, 9_007_199_254_740_993], file.Load("training.evaluate_at=[5, 1e6, 9_007_199_254_740_993]").Training.EvaluateAt);
    }
}
