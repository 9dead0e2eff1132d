using T2R.Conversion;
using T2R.Models;
using T2R.Recipes;
using T2R.Tests.Checkpoints;
using T2R.Tests.Conversion;
using T2R.Tokenization;
using static TorchSharp.torch;

namespace T2R.Tests.Recipes;

/// <summary>A folder with all that a run needs, made on the spot: a text, a tokenizer trained on it, a random transformer and a recipe.</summary>
internal sealed class TinyWorld : IDisposable
{
    private const string Yaml = """
        name: tiny
        device: cpu
        model:
          source: teacher
        conversion:
          slots: 4
        data:
          train: [text.jsonl]
          held_out: 0.2
          window_length: 32
        training:
          steps: 6
          micro_batch_size: 2
          optimizer:
            learning_rate: 1e-2
          warmup_steps: 1
          checkpoint_every: 0
          log_every: 1
          evaluate_every: 3
          evaluation_windows: 4
          distillation:
            weight: 0.5
        evaluation:
          windows: 4
        export_dtype: fp32
        samples:
          prompts: [one two]
          max_new_tokens: 4

        """;

    private readonly TemporaryFolder _folder = new();

    public TinyWorld()
    {
        string[] words = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
        string[] documents = [.. Enumerable.Range(0, 60).Select(i => string.Join(' ', Enumerable.Range(0, 20 + i).Select(j => words[((i * j) + (j / 3)) % words.Length])))];
        File.WriteAllLines(this["text.jsonl"], documents.Select(d => $"{{\"text\": \"{d}\"}}"));
        var tokenizer = new BytePairTrainer { VocabularySize = 290 }.Train(documents);
        Config = TinyTransformer.Config with { VocabularySize = 290, Mixers = TinyTransformer.Config.Mixers[..2] };
        RandomModel.Write(Config, this["teacher"], seed: 5, ScalarType.Float32);
        File.WriteAllBytes(this["teacher/tokenizer.model"], tokenizer.ToBytes());
        File.WriteAllText(RecipePath, Yaml);
    }

    public ModelConfig Config { get; }

    public string RecipePath => this["recipe.yaml"];

    public string this[string name] => _folder[name];

    public IEnumerable<string> Names => _folder.Names;

    /// <summary>What a run without a conversion changes.</summary>
    public string[] FromRandomWeights =>
        ["conversion=null", "training.distillation=null", "model.source=null", $"model.config={this["teacher/config.json"]}", $"model.tokenizer={this["teacher"]}"];

    public RecipePlan Plan(params string[] overrides) => RecipePlan.Of(Recipe.Load(RecipePath, overrides));

    /// <summary>Does everything in a folder of the world.</summary>
    public RunReport Run(string folder, RunWatch? watch = null, CancellationToken cancellation = default, params string[] overrides)
    {
        using var scope = NewDisposeScope();
        using var plan = Plan(overrides);
        return new RecipeRun(plan, this[folder], watch ?? new RunWatch(), cancellation).Everything();
    }

    public void Dispose() => _folder.Dispose();
}
