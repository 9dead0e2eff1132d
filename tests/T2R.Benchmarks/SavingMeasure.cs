using System.Diagnostics;
using T2R.Conversion;
using T2R.Data;
using T2R.Models;
using T2R.Training;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Benchmarks;

/// <summary>
/// How long a checkpoint of random weights on the card stops training, for its copy to host memory, beside what a plain pinned copy of as many bytes takes, and how long
/// it is then written behind. Without moments, which would come in the same way. Twice: the second copy finds memory that the first gave back.
/// </summary>
internal static class SavingMeasure
{
    public static void Run(string configOrName, string folder)
    {
        var config = RandomModel.Shape(configOrName);
        var clock = Stopwatch.StartNew();
        using var weights = WeightSet.Random(config, 1, CUDA, ScalarType.BFloat16);
        Console.WriteLine($"{config.Layers} layers, {weights.ParameterCount:N0} random weights on the card in {clock.Elapsed.TotalSeconds:F2} s");
        using var optimizer = new AdamW(new AdamWOptions(), []);
        var text = new TokenStream([.. Enumerable.Repeat(1, 5000)], beginId: 1);
        for (int step = 1; step <= 2; step++)
        {
            using var live = CheckpointParts.Of(
                new TrainingState
                {
                    Step = step,
                    Stage = "train",
                    StageIndex = 0,
                    Tokens = 0,
                    Cursor = default,
                    OptimizerSteps = step,
                    ElapsedSeconds = 0,
                    Corpus = CorpusMark.Of(text),
                    Options = new TrainingOptions { Steps = 2 },
                },
                weights,
                optimizer,
                scales: null);
            double bytes = live.ByteCount, plain = PinnedCopy.ToHost(bytes);
            using var saver = new CheckpointSaver(parts => RunCheckpoint.Write(Path.Combine(folder, $"step-{parts.State.Step:D8}"), parts), Console.WriteLine);
            clock.Restart();
            saver.Save(live);
            double stopped = clock.Elapsed.TotalSeconds;
            saver.Wait();
            double written = clock.Elapsed.TotalSeconds - stopped;
            Console.WriteLine($"{bytes / 1e9:F2} GB: training stopped for {stopped:F2} s, {bytes / stopped / 1e9:F2} GB/s (a plain pinned copy: {plain:F2} s, {bytes / plain / 1e9:F2} GB/s); written behind in {written:F1} s, {bytes / written / 1e9:F2} GB/s");
            Directory.Delete(Path.Combine(folder, $"step-{step:D8}"), recursive: true);
        }
    }
}
