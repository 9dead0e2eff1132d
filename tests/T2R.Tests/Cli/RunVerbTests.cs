using System.Text.Json.Nodes;
using T2R.Tests.Recipes;
using Xunit;

namespace T2R.Tests.Cli;

/// <summary>Runs through the program: what stands where, and what it makes of bad input.</summary>
public class RunVerbTests
{
    [Fact]
    public async Task A_run_as_JSON_prints_only_JSON_and_leaves_a_log_and_train_and_export_go_on_in_its_folder()
    {
        using var world = new TinyWorld();
        var (code, output, error) = await T2rProcess.Run(["run", world.RecipePath, "--out", world["run"], "--json", "training.steps=4", "evaluation.windows=3", "training.evaluation_windows=2"]);
        Assert.True(code == 0, error);
        Assert.Equal(4, JsonNode.Parse(output)!["rows"]!.AsArray().Count);
        Assert.Contains("step 4 of 4: loss", error);
        Assert.Matches(@"step 3: held-out perplexity \d+\.\d\d over 2 windows\n", error);
        Assert.Matches(@"after finetuning: perplexity \d+\.\d\d over 3 windows\n", error);
        string[] log = File.ReadAllLines(world["run/run.log"]);
        Assert.Contains(log, l => l.Contains("overrides training.steps=4 evaluation.windows=3"));
        Assert.Contains(log, l => l.Contains("step 4 ["));
        Assert.Contains(log, l => l.Contains("exported, token by token: perplexity"));
        Assert.EndsWith("INF done", log[^1], StringComparison.Ordinal);

        (code, output, error) = await T2rProcess.Run(["train", world.RecipePath, "--out", world["run"], "--json", "training.steps=5"]);
        Assert.True(code == 0, error);
        Assert.Equal(5, (int)JsonNode.Parse(output)!["steps"]!);
        Assert.Contains("warning: training.steps is 5 and was 4 so far: from step 4 on", error);

        (code, output, error) = await T2rProcess.Run(["export", world["run"], "--out", world["model"]]);
        Assert.True(code == 0, error);
        Assert.Contains("step-00000005, step 5 of 5, lies in", output);
        Assert.DoesNotContain("not finished", error);
        (code, _, error) = await T2rProcess.Run(["export", world["run"], "--out", world["model"]]);
        Assert.Equal(2, code);
        Assert.Contains("replace it with --force", error);
        (code, output, error) = await T2rProcess.Run(["export", world["run"], "--out", world["model"], "--force", "--dtype", "bf16", "--json"]);
        Assert.True(code == 0, error);
        var exported = JsonNode.Parse(output)!;
        Assert.Equal((5, "bfloat16", world["model"]), ((int)exported["step"]!, (string?)exported["dtype"], (string?)exported["out"]));
        Assert.EndsWith("step-00000005", (string?)exported["checkpoint"]);
        Assert.True(File.Exists(world["model/model.safetensors"]));

        (code, _, error) = await T2rProcess.Run(["run", world.RecipePath, "--out", world["run"], "conversion.slots=8"]);
        Assert.Equal(2, code);
        Assert.Contains("or with other settings", error);
        Assert.Contains(File.ReadAllLines(world["run/run.log"]), l => l.Contains(" ERR ") && l.Contains("or with other settings"));
    }

    [Fact]
    public async Task A_dry_run_shows_the_plan_with_its_warnings_and_makes_no_folder()
    {
        using var world = new TinyWorld();
        string[] before = [.. world.Names];
        var (code, output, error) = await T2rProcess.Run(["run", world.RecipePath, "--out", world["run"], "--dry-run", "samples.seed=3"]);
        Assert.Equal(0, code);
        Assert.Equal("warning: samples.seed has no effect: at temperature 0 the samples are greedy.", error.Trim());
        Assert.Contains("parameters", output);
        Assert.Matches(@"memory +\d", output);
        (code, output, _) = await T2rProcess.Run(["train", world.RecipePath, "--out", world["run"], "--dry-run", "--json"]);
        Assert.Equal(0, code);
        Assert.True((long)JsonNode.Parse(output)!["memory_total"]! > 0);
        Assert.Equal(before, world.Names);
    }

    [Fact]
    public async Task A_dry_run_looks_at_what_lies_in_the_runs_folder()
    {
        using var world = new TinyWorld();
        var (code, output, error) = await T2rProcess.Run(["train", world.RecipePath, "--out", world["run"], "training.steps=4"]);
        Assert.True(code == 0, error);
        Assert.EndsWith("would resume after step 4 of 6.", await DryRun("run"));
        Assert.EndsWith("nothing would be left to do, as all 4 steps are done.", await DryRun("train", "training.steps=4"));
        Assert.EndsWith("measure and export again, as all 4 steps are done.", await DryRun("run", "training.steps=4"));
        Assert.Equal(4, (int)JsonNode.Parse(await DryRun("run", "--json"))!["steps_done"]!);

        // Another recipe's folder: the plan is shown, and the refusal that would come.
        (code, output, error) = await T2rProcess.Run(["run", world.RecipePath, "--out", world["run"], "--dry-run", "conversion.slots=8", "training.micro_batch_size=1"]);
        Assert.Equal(2, code);
        Assert.Contains("memory", output);
        Assert.DoesNotContain("would", output);
        Assert.Contains("or with other settings", error);
        Assert.Contains("training.micro_batch_size is 1", error);

        Directory.CreateDirectory(world["run/export"]);
        File.WriteAllText(world["run/export/thesis.txt"], "mine");
        (code, _, error) = await T2rProcess.Run(["run", world.RecipePath, "--out", world["run"], "--dry-run"]);
        Assert.Equal(2, code);
        Assert.Contains("is not a model's", error);
        (code, _, error) = await T2rProcess.Run(["run", world.RecipePath, "--out", world.RecipePath, "--dry-run"]);
        Assert.Equal(2, code);
        Assert.Contains("this is a file", error);

        async Task<string> DryRun(string verb, params string[] more)
        {
            var (exit, shown, said) = await T2rProcess.Run([verb, world.RecipePath, "--out", world["run"], "--dry-run", .. more]);
            Assert.True(exit == 0, said);
            Assert.Equal(!more.Contains("training.steps=4"), said.Contains("warning: training.steps is 6 and was 4 so far", StringComparison.Ordinal));
            return shown.TrimEnd();
        }
    }

    [Fact]
    public async Task A_dry_run_says_that_the_disk_has_no_room_unless_it_plans_for_another_machine()
    {
        using var world = new TinyWorld();
        Directory.CreateDirectory(world["disk"]);
        using var disk = await SmallDisk.Mount(world["disk"], kilobytes: 300);
        Assert.SkipWhen(disk is null, "needs the right to mount a tmpfs");
        var (code, output, error) = await T2rProcess.Run(["run", world.RecipePath, "--out", world["disk/run"], "--dry-run"]);
        Assert.Equal(1, code);
        Assert.DoesNotContain("this would run", output);
        Assert.StartsWith("error: Not enough disk space", error);
        (code, output, error) = await T2rProcess.Run(["run", world.RecipePath, "--out", world["disk/run"], "--dry-run", "--card", "24"]);
        Assert.Equal(0, code);
        Assert.Contains("this would run", output);
        Assert.Contains("warning: Not enough disk space", error);
    }

    [Fact]
    public async Task A_dry_run_plans_for_a_card_that_is_not_here_and_refuses_what_it_cannot_hold()
    {
        using var world = new TinyWorld();
        var (code, output, error) = await T2rProcess.Run(["run", world.RecipePath, "--dry-run", "--card", "24"]);
        Assert.StartsWith("warning: gated slot attention runs as tensor operators", error);
        Assert.True(code == 0, error);
        Assert.Contains("bfloat16 on cuda", output);
        Assert.Contains("of the card's 24.0 GiB", output);
        (code, _, error) = await T2rProcess.Run(["run", world.RecipePath, "--dry-run", "--card", "0.5"]);
        Assert.Equal(2, code);
        Assert.Contains("does not fit the card", error);
        (code, _, error) = await T2rProcess.Run(["run", world.RecipePath, "--card", "24"]);
        Assert.Equal(2, code);
        Assert.Contains("--card needs --dry-run", error);
    }

    [Fact]
    public async Task A_dry_run_plans_the_memory_of_a_shape_whose_folder_is_not_here()
    {
        using var world = new TinyWorld();
        string[] overrides = ["training.optimizer.name=adamw_8bit", "training.recompute=full", "data.window_length=2048", "data.train=[none.txt]", $"model.source={world["none"]}", "dtype=bf16"];
        var (code, output, error) = await T2rProcess.Run(["run", world.RecipePath, "--dry-run", "--card", "80", .. overrides]);
        Assert.Equal((2, ""), (code, output));
        string[] lines = error.Trim().Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.StartsWith($"error: model.source: {world["none"]}: no such folder; ", lines[0]);
        Assert.Contains("`--dry-run --shape mistral-7b` plans the memory", lines[0]);
        Assert.StartsWith("error: data.train: none.txt: no such file", lines[1]);

        (code, output, error) = await T2rProcess.Run(["run", world.RecipePath, "--dry-run", "--card", "80", "--shape", "mistral-7b", .. overrides]);
        Assert.True(code == 0, error);
        Assert.Contains("32 layers, 32 of them gated slot attention", output);
        Assert.Matches(@"13\.\d GiB weights", output);
        Assert.Matches(@"13\.\d GiB teacher", output);
        (code, output, _) = await T2rProcess.Run(["run", world.RecipePath, "--dry-run", "--shape", world["teacher/config.json"], "--json"]);
        Assert.Equal(0, code);
        Assert.True((long)JsonNode.Parse(output)!["memory_total"]! > 0);
        (code, _, error) = await T2rProcess.Run(["run", world.RecipePath, "--dry-run", "--card", "24", "--shape", "mistral-7b", .. overrides]);
        Assert.Equal(2, code);
        Assert.Contains("does not fit the card", error);
        (code, _, error) = await T2rProcess.Run(["run", world.RecipePath, "--shape", "mistral-7b"]);
        Assert.Equal(2, code);
        Assert.Contains("--shape needs --dry-run", error);
    }

    [Fact]
    public async Task A_dry_run_counts_what_each_stage_trains()
    {
        using var world = new TinyWorld();
        var (code, output, error) = await T2rProcess.Run(["run", world.RecipePath, "--dry-run", "training.lora={rank: 2, alpha: 4, targets: [blocks.*.mixer.q_proj.weight]}"]);
        Assert.True(code == 0, error);

        // Two layers; A and B of each q_proj, f_proj and g_norm of each mixer.
        var hidden = world.Config.HiddenSize;
        var mixer = world.Config.Mixers[0];
        int query = mixer.Heads * mixer.HeadDim;
        int added = 2 * ((hidden * mixer.KeyValueHeads * 4) + query);
        Assert.Contains($"trains adapters: 4 tensors, {2 * 2 * (hidden + query):N0} parameters; and what conversion added: 4 tensors, {added:N0} parameters", output);
        Assert.Matches(@"\d KiB moments", output);
        (code, output, error) = await T2rProcess.Run(["run", world.RecipePath, "--dry-run", "training.stages=[{name: norms, trained: ['*_norm.weight']}]"]);
        Assert.True(code == 0, error);
        Assert.Matches(@"trains \*_norm\.weight: \d tensors, \d+ parameters", output);
    }

    [Fact]
    public Task A_missing_recipe_is_the_users_mistake() => Refuses(world => File.Delete(world.RecipePath), "recipe.yaml: no such file");

    [Fact]
    public Task A_missing_model_file_is_the_users_mistake() => Refuses(world => File.Delete(world["teacher/model.safetensors"]), "teacher", "model.safetensors");

    [Fact]
    public Task A_truncated_shard_is_the_users_mistake() => Refuses(
        world =>
        {
            using var file = File.OpenWrite(world["teacher/model.safetensors"]);
            file.SetLength(file.Length - 100);
        },
        "model.safetensors");

    [Fact]
    public Task A_tensor_of_a_wrong_shape_is_the_users_mistake() => Refuses(
        world => Replace(world["teacher/config.json"], "\"intermediate_size\": 40", "\"intermediate_size\": 44"), "mlp.gate_proj.weight", "44", "40");

    [Fact]
    public Task An_unknown_architecture_is_the_users_mistake() => Refuses(
        world => Replace(world["teacher/config.json"], "\"mistral\"", "\"mamba\""), "config.json", "mamba", "mistral, llama");

    [Fact]
    public Task An_unknown_key_is_the_users_mistake() => Refuses(
        world => Replace(world.RecipePath, "warmup_steps", "warm_up_steps"), "recipe.yaml:16: unknown key training.warm_up_steps; did you mean training.warmup_steps?");

    [Fact]
    public Task Two_mistakes_are_told_at_once() => Refuses(
        world =>
        {
            Replace(world.RecipePath, "slots: 4", "slots: many");
            Replace(world.RecipePath, "held_out: 0.2", "held_out: 2");
        },
        "recipe.yaml:6: conversion.slots is 'many'",
        "recipe.yaml:9: data.held_out is '2'");

    [Fact]
    public async Task A_full_disk_is_the_worlds_failure_and_leaves_nothing_half_written()
    {
        using var world = new TinyWorld();
        Directory.CreateDirectory(world["disk"]);
        using var disk = await SmallDisk.Mount(world["disk"], kilobytes: 300);
        Assert.SkipWhen(disk is null, "needs the right to mount a tmpfs");
        var (code, _, error) = await T2rProcess.Run(["run", world.RecipePath, "--out", world["disk/run"]]);
        Assert.Equal(1, code);
        Assert.Matches("(?i)disk", error);
        Assert.Matches("(?i)space", error);
        Assert.DoesNotContain("This should not happen", error);

        // What lies there is whole: no hidden leftover, and every model's or checkpoint's folder opens.
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(world["disk"], "*", SearchOption.AllDirectories), p => Path.GetFileName(p).StartsWith('.'));
        Assert.False(Directory.Exists(world["disk/run/export"]));

        (code, _, error) = await T2rProcess.Run(["convert", world["teacher"], "--out", world["disk/model"], "--slots", "4", "--dtype", "f64"]);
        Assert.NotEqual(0, code);
        Assert.False(Directory.Exists(world["disk/model"]));
    }

    // Exit code 2, sentences that hold all of these, nothing on standard output, and nothing made.
    private static async Task Refuses(Action<TinyWorld> spoil, params string[] expected)
    {
        using var world = new TinyWorld();
        spoil(world);
        string[] before = [.. world.Names];
        var (code, output, error) = await T2rProcess.Run(["run", world.RecipePath, "--out", world["run"]]);
        Assert.Equal((2, ""), (code, output));
        Assert.StartsWith("error: ", error);
        Assert.All(expected, e => Assert.Contains(e, error));
        Assert.Equal(before, world.Names);
    }

    private static void Replace(string path, string old, string with)
    {
        string text = File.ReadAllText(path);
        Assert.Contains(old, text);
        File.WriteAllText(path, text.Replace(old, with, StringComparison.Ordinal));
    }
}
