using System.Text.Json.Nodes;
using T2R.Conversion;
using T2R.Models;
using T2R.Ops.Quantized;
using T2R.Recipes;
using T2R.Tests.Models;
using T2R.Tests.Tokenization.Json;
using T2R.Tests.Training;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Recipes;

public class RecipeRunTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void A_run_measures_each_model_exports_and_reports_and_again_gives_the_same_without_training()
    {
        using var world = new TinyWorld();
        var first = new Recorder();
        var report = world.Run("run", new RunWatch(Observers: [first]), Cancellation);
        Assert.Equal(["teacher", "after the swap", "after finetuning", "exported, token by token"], report.Rows.Select(r => r.Model));
        Assert.Equal(1, report.Rows[0].RatioToTeacher);
        Assert.InRange(report.Rows[3].Perplexity / report.Rows[2].Perplexity, 0.999, 1.001);
        Assert.Equal(report.Rows[3].StateBytesAt1000, report.Rows[3].StateBytesAt16000);
        Assert.True(report.Rows[0].StateBytesAt1000 < report.Rows[0].StateBytesAt16000);
        Assert.All(report.Rows, r => Assert.Equal("one two", Assert.Single(r.Samples).Prompt));
        Assert.Equal(6, first.Steps.Count);

        using (var exported = ModelFolder.Open(report.ExportFolder!))
        {
            Assert.Equal("GSA", exported.Format.Name);
        }

        Assert.All(["tokenizer.model", "generation_config.json", "conversion.json", "README.md"], n => Assert.True(File.Exists(Path.Combine(report.ExportFolder!, n)), n));
        Assert.Contains("## Training\n\n6 steps, 384 tokens. By this recipe:", File.ReadAllText(Path.Combine(report.ExportFolder!, "README.md")), StringComparison.Ordinal);
        Assert.Equal(report.ToJson(), File.ReadAllText(world["run/report.json"]));
        Assert.Equal(report.Rows[2].Perplexity, (double)JsonNode.Parse(report.ToJson())!["rows"]![2]!["perplexity"]!);

        byte[] weights = ExportedWeights(world, "run");
        var second = new Recorder();
        var again = world.Run("run", new RunWatch(Observers: [second]), Cancellation);
        Assert.Empty(second.Steps);
        Assert.Equal(report.Rows.Select(r => r.Perplexity), again.Rows.Select(r => r.Perplexity));
        Assert.Equal(weights, ExportedWeights(world, "run"));
    }

    [Theory]
    [InlineData("norm.weight")]
    [InlineData("*.lora_a.weight")]
    [InlineData("blocks.0.*.lora_b.weight")]
    public void Adapters_are_merged_in_the_export_of_a_run_and_of_its_checkpoint_alike(string frozen)
    {
        using var world = new TinyWorld();
        string[] lora = ["training.lora={rank: 2, alpha: 64, targets: [blocks.*.mixer.*_proj.weight]}", "training.optimizer.learning_rate=0.05", $"training.groups=[{{pattern: '{frozen}', frozen: true}}]"];
        var report = world.Run("run", null, Cancellation, lora);
        Assert.InRange(report.Rows[3].Perplexity / report.Rows[2].Perplexity, 0.999, 1.001);
        RunExport.Newest(world["run"], world["again"], dtype: null, quantization: null, replace: false, _ => { }, progress: null, Cancellation);
        Assert.Equal(ExportedWeights(world, "run"), File.ReadAllBytes(world["again/model.safetensors"]));
        Assert.NotEqual(File.ReadAllBytes(world["run/converted/model.safetensors"]), ExportedWeights(world, "run"));
        Assert.Contains("cannot be stored in int4: blocks.0.mixer.q_proj.weight has", Assert.Throws<UserErrorException>(() =>
            RunExport.Newest(world["run"], world["small"], dtype: null, QuantizedFormat.FourBit, replace: false, _ => { }, progress: null, Cancellation)).Message);
    }

    [Fact]
    public void A_source_in_few_bits_is_refused()
    {
        using var world = new TinyWorld();
        new TinyModel(new TinyShape { HybridLayers = [], Hidden = 64, HeadDim = 16, Intermediate = 128 }).Save(world["plain"]);
        using (var plain = ModelFolder.Open(world["plain"]))
        {
            Exporter.Export(plain.Config, plain.Read, world["small"], new ExportOptions { Quantization = QuantizedFormat.FourBit }, cancellation: Cancellation);
        }

        var error = Assert.Throws<UserErrorException>(() => world.Plan($"model.source={world["small"]}", "conversion=null", "training.distillation=null"));
        Assert.Contains(error.Problems, p => p.Contains("model.source holds int4 weights"));
    }

    [Fact]
    public void A_run_stopped_in_the_middle_ends_with_the_bytes_of_one_that_was_not()
    {
        using var world = new TinyWorld();
        world.Run("straight", cancellation: Cancellation);
        using (var stop = new CancellationTokenSource())
        {
            var stopper = new Recorder(m =>
            {
                if (m.Step == 3)
                {
                    stop.Cancel();
                }
            });
            Assert.Throws<OperationCanceledException>(() => world.Run("stopped", new RunWatch(Observers: [stopper]), stop.Token));
            Assert.Equal(3, stopper.Steps.Count);
        }

        Assert.False(Directory.Exists(world["stopped/export"]));
        var rest = new Recorder();
        world.Run("stopped", new RunWatch(Observers: [rest]), Cancellation);
        Assert.Equal([4, 5, 6], rest.Steps.Select(s => s.Step));
        Assert.Equal(ExportedWeights(world, "straight"), ExportedWeights(world, "stopped"));
    }

    [Fact]
    public void Sources_are_mixed_and_a_stopped_run_goes_on_with_the_same_windows()
    {
        using var world = new TinyWorld();
        string[] lines = File.ReadAllLines(world["text.jsonl"]);
        File.WriteAllLines(world["even.jsonl"], lines.Where((_, i) => i % 2 == 0));
        File.WriteAllLines(world["odd.jsonl"], lines.Where((_, i) => i % 2 == 1).Select(l => l.Replace("\"text\"", "\"body\"", StringComparison.Ordinal)));
        string sources = $"[{{paths: [{world["even.jsonl"]}], weight: 3}}, {{paths: [{world["odd.jsonl"]}], field: body}}]";
        string[] mixed = ["data.train=null", $"data.sources={sources}"];
        world.Run("straight", cancellation: Cancellation, overrides: mixed);
        Assert.Equal(["held-out.ids", "train-1.ids", "train-2.ids"], Directory.GetFiles(world["straight/tokens"]).Select(f => Path.GetFileName(f)).Order());
        using (var stop = new CancellationTokenSource())
        {
            Assert.Throws<OperationCanceledException>(() => world.Run("stopped", new RunWatch(Observers: [new Recorder(_ => stop.Cancel())]), stop.Token, mixed));
        }

        string[] other = ["data.train=null", $"data.sources={sources.Replace("weight: 3", "weight: 4", StringComparison.Ordinal)}"];
        string message = Assert.Throws<UserErrorException>(() => world.Run("stopped", cancellation: Cancellation, overrides: other)).Message;
        Assert.Contains("The weights of the sources are 0.8 : 0.2 of their sum, but the run in", message);
        Assert.Contains("began with 0.75 : 0.25", message);

        // The same shares; and of a source that is no more nothing is kept.
        File.WriteAllText(world["stopped/tokens/train-3.ids"], "");
        File.WriteAllText(world["stopped/tokens/train.ids.part"], "");
        string[] same = ["data.train=null", $"data.sources={sources.Replace("weight: 3", "weight: 6", StringComparison.Ordinal).Replace("field: body", "field: body, weight: 2", StringComparison.Ordinal)}"];
        world.Run("stopped", cancellation: Cancellation, overrides: same);
        Assert.Equal(["held-out.ids", "train-1.ids", "train-2.ids"], Directory.GetFiles(world["stopped/tokens"]).Select(f => Path.GetFileName(f)).Order());
        Assert.Equal(ExportedWeights(world, "straight"), ExportedWeights(world, "stopped"));
    }

    [Fact]
    public void A_source_without_a_window_is_named_before_anything_is_converted()
    {
        using var world = new TinyWorld();
        string message = Assert.Throws<UserErrorException>(() => world.Run("run", cancellation: Cancellation, overrides: ["data.window_length=1000000"])).Message;
        Assert.Matches(@"text\.jsonl \(training part\) has \d+ tokens, less than one window of 1000000", message);
        File.WriteAllText(world["other.jsonl"], File.ReadAllText(world["text.jsonl"]));
        string sources = $"[{{paths: [{world["text.jsonl"]}]}}, {{paths: [{world["other.jsonl"]}], weight: 1e-6}}]";
        message = Assert.Throws<UserErrorException>(() => world.Run("run", cancellation: Cancellation, overrides: ["data.train=null", $"data.sources={sources}"])).Message;
        Assert.Matches(@"other\.jsonl \(training part\) has the weight 1E-06 of 1\.000001 and gets none of the \d+ windows", message);
        Assert.Equal(["tokens"], Directory.GetDirectories(world["run"]).Select(f => Path.GetFileName(f)));
    }

    [Fact]
    public void Damaged_lines_are_an_error_until_the_recipe_lets_them_be_passed_over()
    {
        using var world = new TinyWorld();
        File.AppendAllText(world["text.jsonl"], "{\"text\": 5}\n");
        string[] brief = ["training.steps=1"];
        Assert.Contains("text.jsonl, line 61", Assert.Throws<UserErrorException>(() => world.Run("run", cancellation: Cancellation, overrides: brief)).Message);
        var recorder = new Recorder();
        world.Run("run", new RunWatch(Observers: [recorder]), Cancellation, [.. brief, "data.damaged_limit=1"]);
        Assert.Contains("text.jsonl, line 61", Assert.Single(recorder.Warnings, w => w.Contains("Damaged")));
    }

    [Theory]
    [InlineData("conversion.slots=8", "or with other settings")]
    [InlineData("conversion=null", "or with other settings")]
    [InlineData("data.held_out=0.3", "began on a text of")]
    [InlineData("training.steps=3", "has done 6 steps already")]
    [InlineData("training.optimizer.learning_rate=1e-3", "training.optimizer.learning_rate is 0.001, but the run in")]
    public void Another_recipe_in_a_runs_folder_is_refused_and_changes_nothing_there(string change, string expected)
    {
        using var world = new TinyWorld();
        world.Run("run", cancellation: Cancellation);
        var before = Contents(world["run"]);
        string[] changes = change == "conversion=null" ? [change, "training.distillation=null"] : [change];
        var error = Assert.Throws<UserErrorException>(() => world.Run("run", cancellation: Cancellation, overrides: changes));
        Assert.Contains(error.Problems, p => p.Contains(expected));
        Assert.Equal(before, Contents(world["run"]));
    }

    [Fact]
    public void A_folder_of_other_things_is_refused_and_one_that_a_run_left_early_is_not()
    {
        using var world = new TinyWorld();
        Directory.CreateDirectory(Path.Combine(world["run"], "tokens"));
        File.WriteAllText(Path.Combine(world["run"], "mine.jsonl"), "{}");
        Assert.Contains("holds mine.jsonl and no run", Assert.Throws<UserErrorException>(() => world.Run("run", cancellation: Cancellation)).Message);
        Assert.Equal(["mine.jsonl", "tokens"], Directory.EnumerateFileSystemEntries(world["run"]).Select(Path.GetFileName).Where(n => n![0] != '.').Order());
        File.Delete(Path.Combine(world["run"], "mine.jsonl"));
        world.Run("run", cancellation: Cancellation);
    }

    [Fact]
    public void Another_source_or_start_is_refused_and_changes_nothing_there()
    {
        using var world = new TinyWorld();
        world.Run("converted", cancellation: Cancellation);
        world.Run("trained", cancellation: Cancellation, overrides: world.FromRandomWeights[..2]);
        world.Run("random", cancellation: Cancellation, overrides: world.FromRandomWeights);
        var before = Contents(world["converted"]).Concat(Contents(world["trained"])).Concat(Contents(world["random"])).ToList();
        Refuses("random", "model.seed is 4, but the run in", [.. world.FromRandomWeights, "model.seed=4"]);
        Refuses("random", "model.seed is without effect", world.FromRandomWeights[..2]);
        RandomModel.Write(world.Config, world["other"], seed: 6, ScalarType.Float32, cancellation: Cancellation);
        File.Copy(world["teacher/tokenizer.model"], world["other/tokenizer.model"]);
        Directory.Move(world["teacher"], world["old"]);
        Directory.Move(world["other"], world["teacher"]);
        Refuses("converted", "converted another model");
        Refuses("trained", "are not those that the run in", world.FromRandomWeights[..2]);
        Assert.Equal(before, Contents(world["converted"]).Concat(Contents(world["trained"])).Concat(Contents(world["random"])));

        void Refuses(string run, string expected, params string[] overrides) => Assert.Contains(
            expected, Assert.Single(Assert.Throws<UserErrorException>(() => world.Run(run, cancellation: Cancellation, overrides: overrides)).Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_version_of_T2R_goes_on_with_a_run()
    {
        using var world = new TinyWorld();
        world.Run("run", cancellation: Cancellation);
        string record = world["run/converted/conversion.json"];
        File.WriteAllText(record, File.ReadAllText(record).Replace("\"version\": \"", "\"version\": \"0.0.", StringComparison.Ordinal));
        Assert.Equal(4, world.Run("run", cancellation: Cancellation).Rows.Length);
    }

    [Fact]
    public void Training_from_random_weights_exports_a_transformer()
    {
        using var world = new TinyWorld();
        var report = world.Run("run", cancellation: Cancellation, overrides: world.FromRandomWeights);
        Assert.Equal(["trained", "exported"], report.Rows.Select(r => r.Model));
        Assert.All(report.Rows, r => Assert.Null(r.RatioToTeacher));
        using var exported = ModelFolder.Open(report.ExportFolder!);
        Assert.Equal(("Mistral/Llama", world.Config.Layers), (exported.Format.Name, exported.Config.Layers));
        Assert.True(File.Exists(Path.Combine(report.ExportFolder!, "tokenizer.model")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_run_that_was_stopped_and_moved_can_be_exported(bool converts)
    {
        using var world = new TinyWorld();
        using var stop = new CancellationTokenSource();
        var watch = new RunWatch(Observers: [new Recorder(_ => stop.Cancel())]);
        Assert.Throws<OperationCanceledException>(() => world.Run("run", watch, stop.Token, converts ? [] : world.FromRandomWeights));
        Directory.Move(world["run"], world["moved"]);
        using var scope = NewDisposeScope();
        var made = RunExport.Newest(world["moved"], world["model"], null, null, replace: false, Assert.Fail, null, Cancellation);
        Assert.EndsWith("step-00000001", made.Checkpoint, StringComparison.Ordinal);
        Assert.Equal((1, 6, 64L, false), (made.Trained.Done, made.Trained.Planned, made.Trained.Tokens, made.Trained.IsAll));
        Assert.Contains("**Not finished: step 1 of 6**, 64 tokens;", File.ReadAllText(world["model/README.md"]), StringComparison.Ordinal);
        using var exported = ModelFolder.Open(world["model"]);
        Assert.Equal(converts, exported.Config.IsRecurrent);
        Assert.True(File.Exists(world["model/tokenizer.model"]));
    }

    // Both ways to an export give the same model: from memory at the run's end, and from what the run's folder and its start hold.
    [Theory]
    [InlineData("conversion")]
    [InlineData("source")]
    [InlineData("random")]
    public void Weights_that_no_stage_trains_are_exported_from_where_the_run_began(string start)
    {
        using var world = new TinyWorld();
        string[] overrides =
        [
            "training.groups=[{pattern: '*.mlp.*', frozen: true}, {pattern: embedding.weight, frozen: true}]", "dtype=bf16",
            .. start switch { "conversion" => [], "source" => world.FromRandomWeights[..2], _ => world.FromRandomWeights },
            .. (string[])(start == "random" ? ["model.seed=3"] : []),
        ];
        world.Run("run", cancellation: Cancellation, overrides: overrides);
        Directory.Move(world["run"], world["moved"]);
        RunExport.Newest(world["moved"], world["model"], null, null, replace: false, Assert.Fail, null, Cancellation);
        Assert.Equal(ExportedWeights(world, "moved"), File.ReadAllBytes(world["model/model.safetensors"]));

        // Far smaller than the model: no frozen matrix is in it.
        string checkpoint = Path.Combine(world["moved"], "checkpoints", "step-00000006", "model.safetensors");
        using var stored = T2R.Checkpoints.SafeTensorsFile.Open(checkpoint);
        Assert.DoesNotContain(stored.Entries, e => e.Name.Contains(".mlp.", StringComparison.Ordinal) || e.Name == "embedding.weight");
        Assert.Contains(stored.Entries, e => e.Name == "blocks.0.mixer.q_proj.weight");
    }

    [Fact]
    public void An_export_that_needs_a_folder_which_is_gone_names_it()
    {
        using var world = new TinyWorld();
        world.Run("run", cancellation: Cancellation, overrides: [.. world.FromRandomWeights[..2], "training.groups=[{pattern: '*.mlp.*', frozen: true}]"]);
        Directory.Move(world["teacher"], world["elsewhere"]);
        Refuses("is not there");
        RandomModel.Write(world.Config, world["teacher"], seed: 6, ScalarType.Float32, cancellation: Cancellation);
        File.Copy(world["elsewhere/tokenizer.model"], world["teacher/tokenizer.model"]);
        Refuses("holds other weights now");
        Assert.False(Directory.Exists(world["model"]));

        void Refuses(string expected)
        {
            var error = Assert.Throws<UserErrorException>(() => RunExport.Newest(world["run"], world["model"], null, null, replace: false, Assert.Fail, null, Cancellation));
            Assert.Contains(world["teacher"], error.Message, StringComparison.Ordinal);
            Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_run_without_a_checkpoint_and_a_folder_that_is_no_run_are_not_exported()
    {
        using var world = new TinyWorld();
        Assert.Contains("expected the folder of a run", Refusal(world["teacher"]));
        Directory.CreateDirectory(world["run"]);
        File.WriteAllText(world["run/run.json"], "{}");
        Assert.Contains("not the record of a run", Refusal(world["run"]));

        string Refusal(string run) =>
            Assert.Throws<UserErrorException>(() => RunExport.Newest(run, world["out"], null, null, replace: false, Assert.Fail, null, Cancellation)).Message;
    }

    [Fact]
    public void A_source_may_have_a_tokenizer_json_alone()
    {
        using var world = new TinyWorld();
        File.Delete(world["teacher/tokenizer.model"]);
        TinyJson.Bytes().Add("<s>").Add("</s>").Save(world["teacher/tokenizer.json"]);
        File.WriteAllText(world["teacher/tokenizer_config.json"], """{"bos_token": "<s>"}""");
        RunReport report = world.Run("run", cancellation: Cancellation);
        Assert.All(["tokenizer.json", "tokenizer_config.json"], n => Assert.True(File.Exists(Path.Combine(report.ExportFolder!, n)), n));
        File.WriteAllText(world["teacher/tokenizer.json"], "{}");
        Assert.Contains(Assert.Throws<UserErrorException>(() => world.Plan()).Problems, p => p.StartsWith("model.source: ", StringComparison.Ordinal) && p.Contains("model is missing", StringComparison.Ordinal));
    }

    [Fact]
    public void A_plan_lists_everything_that_does_not_hold_against_the_world()
    {
        using var world = new TinyWorld();
        File.Delete(world["teacher/tokenizer.model"]);
        var error = Assert.Throws<UserErrorException>(() => world.Plan($"data.train={world["none.txt"]}", "training.groups=[{pattern: blocks.*.q_prj.weight}]", "training.optimizer.beta2=1"));
        Assert.Contains(error.Problems, p => p.Contains("has no tokenizer"));
        Assert.Contains(error.Problems, p => p.Contains("none.txt"));
        Assert.Contains(error.Problems, p => p.Contains("matches no weight"));
        Assert.Contains(error.Problems, p => p.Contains("training.optimizer.beta2 is 1"));
    }

    [Fact]
    public void What_a_transformer_alone_cannot_do_is_refused()
    {
        using var world = new TinyWorld();
        var error = Assert.Throws<UserErrorException>(() => world.Plan("conversion=null", "training.stages=[{name: imitate, objective: mixers}]"));
        Assert.Contains(error.Problems, p => p.StartsWith("training.distillation needs a conversion", StringComparison.Ordinal));
        Assert.Contains(error.Problems, p => p.StartsWith("training.stages: objective mixers needs a conversion", StringComparison.Ordinal));
        error = Assert.Throws<UserErrorException>(() => world.Plan([.. world.FromRandomWeights[1..], "conversion.slots=4"]));
        Assert.Contains("conversion needs model.source", Assert.Single(error.Problems));
    }

    [Theory]
    [InlineData("training.distillation.weight=0", "training.distillation has no effect")]
    [InlineData("training.stages=[{name: a, objective: mixers}]", "training.distillation has no effect")]
    [InlineData("model.seed=3", "model.seed has no effect")]
    [InlineData("samples.seed=3", "samples.seed has no effect")]
    [InlineData("training.warmup_steps=6", "has 6 steps: its learning rate never falls")]
    [InlineData("training.warmup_steps=7", "has 6 steps: the warm-up is shortened to these, and its learning rate never falls")]
    public void A_setting_without_effect_is_warned_of(string assignment, string expected)
    {
        using var world = new TinyWorld();
        using var plan = world.Plan(assignment);
        Assert.Contains(expected, Assert.Single(plan.Warnings.Concat(plan.TrainingWarnings)));
    }

    private static byte[] ExportedWeights(TinyWorld world, string run) => File.ReadAllBytes(world[$"{run}/export/model.safetensors"]);

    private static Dictionary<string, string> Contents(string folder) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(f => f, f => Convert.ToHexString(File.ReadAllBytes(f)));
}
