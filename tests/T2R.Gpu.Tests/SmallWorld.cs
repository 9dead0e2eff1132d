using T2R.Conversion;
using T2R.Mixers;
using T2R.Tokenization;
using static TorchSharp.torch;

namespace T2R.Gpu.Tests;

/// <summary>A folder with all that a run on the card needs, made on the spot: a text, a tokenizer trained on it, a random transformer and a recipe.</summary>
internal sealed class SmallWorld : IDisposable
{
    private const string Yaml = """
        name: small
        device: cuda
        model:
          source: teacher
        conversion:
          slots: 32
        data:
          train: [text.jsonl]
          held_out: 0.1
          window_length: 256
        training:
          steps: 60
          micro_batch_size: 4
          optimizer:
            learning_rate: 1e-3
          warmup_steps: 5
          log_every: 1
          evaluation_windows: 4

        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("t2r-").FullName;

    public SmallWorld()
    {
        var random = new Random(1);
        string[] words = [.. Enumerable.Range(0, 200).Select(_ => string.Concat(Enumerable.Range(0, random.Next(2, 7)).Select(_ => (char)(random.Next(26) + 'a'))))];
        string[] documents = [.. Enumerable.Range(0, 400).Select(_ => string.Join(' ', Enumerable.Range(0, 200).Select(_ => words[random.Next(words.Length)])))];
        File.WriteAllLines(this["text.jsonl"], documents.Select(d => $"{{\"text\": \"{d}\"}}"));
        var tokenizer = new BytePairTrainer { VocabularySize = 400 }.Train(documents);
        var config = TrainedModel.Config with
        {
            VocabularySize = 400,
            Mixers = [.. Enumerable.Repeat<MixerConfig>(new SoftmaxAttentionConfig(8, 2, 32, 10000, null), 4)],
        };
        RandomModel.Write(config, this["teacher"], seed: 5, ScalarType.BFloat16);
        File.WriteAllBytes(this["teacher/tokenizer.model"], tokenizer.ToBytes());
        File.WriteAllText(RecipePath, Yaml);
    }

    public string RecipePath => this["recipe.yaml"];

    public string this[string name] => Path.Combine(_folder, name);

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
