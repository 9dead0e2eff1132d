using System.Diagnostics;
using System.Globalization;
using T2R.Bench;
using T2R.Conversion;
using T2R.Interop;
using T2R.Interop.Cuda;
using T2R.Mixers;
using T2R.Training;
using T2R.Training.Memory;
using static TorchSharp.torch;

namespace T2R.Benchmarks;

/// <summary>
/// Full-parameter training of Mistral-7B's shape with gated slot attention in every layer, from random weights on random ids, setting by setting: memory planned and
/// measured, and tokens a second. Each row is a process of its own, since an allocator keeps what it once took.
/// </summary>
internal static class MemoryLadder
{
    private static readonly TrainingOptions Options = new()
    {
        Steps = 1_000_000,
        WindowLength = 2048,
        MicroBatchSize = 4,
        Recompute = RecomputePolicy.Full,
        Optimizer = new AdamWOptions { LearningRate = 1e-5, Name = OptimizerName.AdamWBf16 },
    };

    private static readonly (string Name, TrainingOptions Options)[] Rows =
    [
        ("adamw_bf16", Options),
        ("adamw_bf16, selective", Options with { Recompute = RecomputePolicy.Selective }),
        ("adamw_bf16, fp8", Options with { Fp8 = true }),
        ("adamw_bf16, fp8, selective", Options with { Fp8 = true, Recompute = RecomputePolicy.Selective }),
        ("adamw_8bit", With(OptimizerName.AdamW8Bit)),
        ("adamw_8bit, selective", With(OptimizerName.AdamW8Bit) with { Recompute = RecomputePolicy.Selective }),
        ("adamw_8bit, in_backward", With(OptimizerName.AdamW8Bit, inBackward: true)),
        ("adamw_8bit, in_backward, selective", With(OptimizerName.AdamW8Bit, inBackward: true) with { Recompute = RecomputePolicy.Selective }),
        ("adamw_8bit, in_backward, offload_inputs", With(OptimizerName.AdamW8Bit, inBackward: true) with { OffloadInputs = true }),
        ("adamw_8bit, in_backward, offload_inputs, offload", With(OptimizerName.AdamW8Bit, inBackward: true, offload: true) with { OffloadInputs = true }),
        ("adamw_bf16, in_backward, offload", With(OptimizerName.AdamWBf16, inBackward: true, offload: true)),
        ("adamw, in_backward, offload", With(OptimizerName.AdamW, inBackward: true, offload: true)),
    ];

    /// <summary>Runs the ladder, or one row of it.</summary>
    /// <param name="arguments"><c>[--layers N] [--steps N] [--windows N] [row …]</c>; without a row, every row. A window has 2 048 tokens.</param>
    public static int Run(string[] arguments)
    {
        int layers = 32, steps = 6, windows = 4;
        var rest = new List<string>();
        for (int i = 0; i < arguments.Length; i++)
        {
            switch (arguments[i])
            {
                case "--layers":
                    layers = int.Parse(arguments[++i], CultureInfo.InvariantCulture);
                    break;
                case "--steps":
                    steps = int.Parse(arguments[++i], CultureInfo.InvariantCulture);
                    break;
                case "--windows":
                    windows = int.Parse(arguments[++i], CultureInfo.InvariantCulture);
                    break;
                default:
                    rest.Add(arguments[i]);
                    break;
            }
        }

        if (rest is ["--child", var name])
        {
            var row = Rows.First(r => r.Name == name);
            return Measure(row with { Options = row.Options with { MicroBatchSize = windows } }, layers, steps);
        }

        Console.WriteLine($"{CudaDevice.All()[0].Name}: {layers} layers, {windows * Options.WindowLength:N0} tokens a step, {steps} steps");
        Console.WriteLine($"{"setting",-52} {"planned",8} {"peak",8} {"tokens/s",9}   device memory and resident set after step 3 → at the end");
        foreach (var row in rest.Count == 0 ? Rows.Select(r => r.Name) : rest)
        {
            using var child = Process.Start(Environment.ProcessPath!, ["ladder", "--layers", $"{layers}", "--steps", $"{steps}", "--windows", $"{windows}", "--child", row]);
            child.WaitForExit();
        }

        return 0;
    }

    private static int Measure((string Name, TrainingOptions Options) row, int layers, int steps)
    {
        LibTorch.Load();
        var preset = RandomModel.Presets["mistral-7b"];
        var config = preset with { Mixers = [.. Enumerable.Repeat<MixerConfig>(new GatedSlotAttentionConfig(32, 8, 128, 64), layers)] };
        var setup = new TrainingSetup(config, Teacher: null, row.Options, ScalarType.BFloat16, CUDA);
        string planned = MemoryPart.Text(setup.Memory.Total);
        if (!setup.Memory.Fits(CardMemory.Now(device: 0)))
        {
            Console.WriteLine($"{row.Name,-52} {planned,8} does not fit");
            return 0;
        }

        var result = TrainingBench.Run(setup, steps);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{row.Name,-52} {planned,8} {MemoryPart.Text(result.PeakBytes),8} {result.TokensPerSecond,9:F0}   {Held(result.Steps[Math.Min(3, steps) - 1])} → {Held(result.Steps[^1])}; loss {result.FirstLoss:F3} → {result.LastLoss:F3}"));
        return 0;

        static string Held(TrainingBenchStep step) => $"{MemoryPart.Text(step.DeviceBytes)}, {MemoryPart.Text(step.HostBytes)}";
    }

    private static TrainingOptions With(OptimizerName name, bool inBackward = false, bool offload = false) =>
        Options with { Optimizer = Options.Optimizer with { Name = name, InBackward = inBackward, Offload = offload } };
}
