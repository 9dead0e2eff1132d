using T2R.Recipes;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Recipes;

public class RecipeMistakeTests
{
    [Fact]
    public void An_unknown_key_is_named_with_its_line_and_the_nearest_one()
    {
        using var file = new RecipeFile(RecipeFile.Minimal + "  warm_up_steps: 3\n");
        Assert.Equal(["recipe.yaml:10: unknown key training.warm_up_steps; did you mean training.warmup_steps?"], file.Problems());
    }

    [Fact]
    public void Two_mistakes_give_two_sentences()
    {
        using var file = new RecipeFile(RecipeFile.Minimal.Replace("steps: 10", "steps: ten", StringComparison.Ordinal) + "devise: cpu\n");
        Assert.Equal(
            ["recipe.yaml:9: training.steps is 'ten', expected a whole number from 1 to 2147483647.", "recipe.yaml:10: unknown key devise; did you mean device?"],
            file.Problems());
    }

    [Theory]
    [InlineData("training.steps=0", "training.steps is '0', expected")]
    [InlineData("training.steps=1.5", "training.steps is '1.5', expected")]
    [InlineData("training.steps=99999999999", "training.steps is '99999999999', expected")]
    [InlineData("training.evaluate_at=[5, 0]", "training.evaluate_at is '0', expected a list of whole numbers of at least 1.")]
    [InlineData("model.seed=1e19", "model.seed is '1e19', expected")]
    [InlineData("data.held_out=0.7", "data.held_out is '0.7', expected a number from")]
    [InlineData("data.held_out=nan", "data.held_out is 'nan', expected")]
    [InlineData("data.format=pdf", "data.format is 'pdf', expected one of auto, text, jsonl")]
    [InlineData("data.train={a: b}", "data.train is a list or mapping, expected a list of texts.")]
    [InlineData("dtype=int4", "dtype is 'int4', expected auto or one of")]
    [InlineData("device=gpu", "device is 'gpu', expected one of auto, cpu, cuda.")]
    [InlineData("conversion.initialization=magic", "conversion.initialization is 'magic', expected one of")]
    [InlineData("conversion.softmax_layers=[one]", "conversion.softmax_layers is a list or mapping, expected a list of layer numbers")]
    [InlineData("training.optimizer=adamw", "training.optimizer is 'adamw', expected a mapping")]
    [InlineData("training.reset_at_documents=yes", "training.reset_at_documents is 'yes', expected true or false.")]
    [InlineData("training.fp8=e4m3", "training.fp8 is 'e4m3', expected true or false.")]
    [InlineData("training.groups=[a]", "training.groups is a list or mapping, expected a list of mappings.")]
    [InlineData("training.groups=[{patern: a}]", "training.groups[0].pattern is missing")]
    [InlineData("name=a/b", "name is 'a/b', expected a name for a folder")]
    [InlineData("training.steps.x=1", "training.steps is a list or mapping, expected a whole number")]
    [InlineData("data.train.5=x", "there is nothing at data.train.5.")]
    [InlineData("training.stepz=5", "unknown key training.stepz; did you mean training.steps?")]
    [InlineData("model.tokenizer=t", "model.tokenizer goes with model.config alone")]
    [InlineData("steps", "expected key=value, such as")]
    [InlineData("=5", "expected key=value, such as")]
    [InlineData("steps", "such as training.optimizer.learning_rate=3e-4.")]
    [InlineData("data.train=[a", "did not find expected ',' or ']'; if a text is meant, quote it: 'data.train=\"[a\"'.")]
    [InlineData("name=a: b", "name is a list or mapping, expected a text; if a text is meant, quote it: 'name=\"a: b\"'.")]
    [InlineData("description=@x", "if a text is meant, quote it: 'description=\"@x\"'.")]
    [InlineData("description=*x", "if a text is meant, quote it: 'description=\"*x\"'.")]
    [InlineData("samples.prompts=# System", "it is all comment; if a text is meant, quote it: 'samples.prompts=\"# System\"'.")]
    [InlineData("description=@\"x", "quote it twice, for the shell and for YAML, such as 'description=\"…\"'.")]
    [InlineData("training.learning_rate=3e-4", "unknown key training.learning_rate; did you mean training.optimizer.learning_rate?")]
    [InlineData("training.lerning_rate=3e-4", "unknown key training.lerning_rate; did you mean training.optimizer.learning_rate?")]
    [InlineData("weight_decay=1", "unknown key weight_decay; did you mean training.optimizer.weight_decay?")]
    [InlineData("training.seed=1", "unknown key training.seed; did you mean conversion.seed or data.seed or model.seed or samples.seed?")]
    [InlineData("training.zzzzzzzz=1", "unknown key training.zzzzzzzz; known here: accumulation_steps,")]
    public void A_mistake_of_the_command_line_is_named_as_its(string assignment, string expected)
    {
        using var file = new RecipeFile(RecipeFile.Minimal);
        string problem = file.Problems(assignment)[0];
        Assert.StartsWith($"override '{assignment}'", problem);
        Assert.Contains(expected, problem);
    }

    [Theory]
    [InlineData("name: x\n", "data is missing", "model is missing", "training is missing")]
    [InlineData("name: x\nmodel:\ndata:\ntraining:\n", "data is missing", "model is missing", "training is missing")]
    [InlineData("name: x\nmodel: 5\ndata: []\ntraining: ''\n", "recipe.yaml:3: data is a list", "recipe.yaml:2: model is '5'", "training is missing")]
    public void Missing_sections_are_all_named(string yaml, params string[] expected)
    {
        using var file = new RecipeFile(yaml);
        var problems = file.Problems();
        Assert.Equal(expected.Length, problems.Length);
        Assert.All(expected, e => Assert.Contains(problems, p => p.Contains(e)));
    }

    [Theory]
    [InlineData("model:\n  config: c.json", "model.tokenizer is missing: a model from random weights has none of its own.")]
    [InlineData("model:\n  seed: 1", "model.source or model.config, one of them, is needed")]
    [InlineData("model:\n  source: a\n  config: b", "model.source or model.config, one of them, is needed")]
    public void The_model_is_a_source_or_a_shape_with_a_tokenizer(string model, string expected)
    {
        using var file = new RecipeFile(RecipeFile.Minimal.Replace("model:\n  source: teacher", model, StringComparison.Ordinal));
        Assert.Contains(expected, Assert.Single(file.Problems()));
    }

    [Fact]
    public void Held_out_text_is_files_or_a_share()
    {
        using var file = new RecipeFile(RecipeFile.Minimal);
        Assert.Contains("data.validation and data.held_out are both given", Assert.Single(file.Problems("data.validation=v.txt")));
        Assert.Contains("data.validation or data.held_out, one of them, is needed", Assert.Single(file.Problems("data.held_out=null")));
        Assert.Equal(["v.txt"], file.Load("data.held_out=null", "data.validation=v.txt").Data.Validation);
    }

    [Theory]
    [InlineData("data.sources=[{paths: [a]}]", "data.train and data.sources exclude each other")]
    [InlineData("data={held_out: 0.1, window_length: 8}", "data.train is missing; expected a list of files, folders or globs, or data.sources")]
    [InlineData("data={sources: [{weight: 1}], held_out: 0.1, window_length: 8}", "data.sources[0].paths is missing")]
    [InlineData("data={sources: [{paths: a}, {paths: b, weight: 0}], held_out: 0.1, window_length: 8}", "data.sources[1].weight is '0', expected a number from 1E-06")]
    [InlineData("data={sources: [{paths: a, wieght: 2}], held_out: 0.1, window_length: 8}", "unknown key data.sources[0].wieght; did you mean data.sources[0].weight?")]
    [InlineData("data.damaged_limit=-1", "data.damaged_limit is '-1', expected a whole number from 0")]
    public void A_mistake_in_the_text_is_named(string assignment, string expected)
    {
        using var file = new RecipeFile(RecipeFile.Minimal);
        Assert.Contains(expected, Assert.Single(file.Problems(assignment)));
    }

    [Theory]
    [InlineData("", "recipe.yaml: the file is empty")]
    [InlineData("# nothing\n", "recipe.yaml: the file is empty")]
    [InlineData("- a\n- b\n", "recipe.yaml:1: expected a mapping (key: value lines) at the top, found a list.")]
    [InlineData("just words\n", "recipe.yaml:1: expected a mapping (key: value lines) at the top, found a text.")]
    [InlineData("a: [1\nb: 2\n", "not valid YAML: a bracket or quote is not closed.")]
    [InlineData("\u0000\u0001\u0002ELF", "found a text.")]
    [InlineData("name: a\nname: b\n", "recipe.yaml:2: the key name stands there twice; remove one.")]
    [InlineData("name: a\nmodel:\n  source: a\n  source: b\n", "recipe.yaml:4: the key source stands there twice; remove one.")]
    [InlineData("name: a\n---\nname: b\n", "recipe.yaml: holds 2 YAML documents, expected one")]
    [InlineData("name: *nowhere\n", "not valid YAML")]
    public void A_file_that_is_no_recipe_says_what_it_is(string text, string expected)
    {
        using var file = new RecipeFile(text);
        Assert.Contains(expected, Assert.Single(file.Problems()));
    }

    [Theory]
    [InlineData("? [a, b]\n: c\n", "unknown key")]
    [InlineData("\"training\": &t {optimizer: *t}\n", "")]
    public void Odd_YAML_gives_sentences(string text, string expected)
    {
        using var file = new RecipeFile(text);
        Assert.Contains(file.Problems(), p => p.Contains(expected));
    }

    [Fact]
    public void A_folder_and_a_missing_file_are_told_apart()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("this is a folder", Assert.Throws<UserErrorException>(() => Recipe.Load(folder.Path, [])).Message);
        Assert.Contains("no such file", Assert.Throws<UserErrorException>(() => Recipe.Load(folder["none.yaml"], [])).Message);
    }
}
