using T2R.Interop.Cuda;
using T2R.Training;
using T2R.Training.Optimizers;
using static TorchSharp.torch;

namespace T2R.Benchmarks;

/// <summary>
/// How long each optimizer takes on the card for two layers' MLP matrices of Mistral-7B in bf16, beside a copy within the card that moves as many bytes; and offloaded,
/// beside what the link moves. Median of nine steps.
/// </summary>
internal static class OptimizerMeasure
{
    private const int Matrices = 6, Rows = 14336, Columns = 4096, Steps = 9;

    public static void Run()
    {
        double elements = (double)Matrices * Rows * Columns, copied = CopiedBytesPerSecond();
        Console.WriteLine($"{elements / 1e6:F0} M weights; a copy within the card moves {copied / 1e9:F0} GB/s, read and written");
        foreach (var name in Enum.GetValues<OptimizerName>())
        {
            // Weight read and written (a mastered one written alone), gradient read, moments and master read and written.
            double each = name switch { OptimizerName.AdamW => 2 + 2 + 24, OptimizerName.AdamWBf16 => 4 + 2 + 8, _ => 4 + 2 + 4 + (16 / 256.0) };
            double seconds = Seconds(name, offload: false), offloaded = Seconds(name, offload: true), bytes = each * elements;
            double link = (name switch { OptimizerName.AdamW => 12, OptimizerName.AdamWBf16 => 4, _ => 2 + (8 / 256.0) }) * elements;
            Console.WriteLine(
                $"{name}: {seconds * 1e3:F2} ms, {bytes / seconds / 1e9:F0} GB/s, {bytes / seconds / copied:P0} of the copy; "
                + $"offloaded {offloaded * 1e3:F1} ms, {link / offloaded / 1e9:F1} GB/s each way");
        }
    }

    private static double Seconds(OptimizerName name, bool offload)
    {
        using var scope = NewDisposeScope();
        List<TrainedWeight> weights = [.. Enumerable.Range(0, Matrices).Select(i => new TrainedWeight($"w{i}", randn(Rows, Columns, ScalarType.BFloat16, CUDA), 1, 0.01))];
        using var gradients = new Gradients();
        weights.ForEach(w => gradients.Add(w.Name, randn(Rows, Columns, ScalarType.BFloat16, CUDA)));
        using var optimizer = new AdamW(new AdamWOptions { Name = name, Offload = offload }, weights);
        return Median(() =>
        {
            optimizer.BeginStep(1e-4, 1);
            optimizer.Update(gradients);
            optimizer.EndStep();
        });
    }

    private static double CopiedBytesPerSecond()
    {
        using var scope = NewDisposeScope();
        Tensor from = randn(4, Rows, Columns, ScalarType.BFloat16, CUDA), to = empty_like(from);
        return 2 * 2 * from.numel() / Median(() => to.copy_(from));
    }

    private static double Median(Action step)
    {
        using CudaEvent start = new(device: 0, timed: true), end = new(device: 0, timed: true);
        var seconds = new List<double>();
        for (int i = -2; i < Steps; i++)
        {
            CudaStream.Torch(device: 0).Record(start);
            step();
            CudaStream.Torch(device: 0).Record(end);
            end.Synchronize();
            if (i >= 0)
            {
                seconds.Add(end.MillisecondsSince(start) / 1e3);
            }
        }

        return seconds.Order().ElementAt(Steps / 2);
    }
}
