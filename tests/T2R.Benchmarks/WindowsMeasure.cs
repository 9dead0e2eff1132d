using System.Diagnostics;
using T2R.Data;

namespace T2R.Benchmarks;

/// <summary>How fast one core reads shuffled windows from a file of ids (<c>.u16</c>), once as numbers and once as the tensors that a model takes.</summary>
internal static class WindowsMeasure
{
    private const int BatchSize = 8;
    private const int Runs = 3;

    public static void Run(string path, int windowLength)
    {
        using var stream = TokenStream.FromFile(path, beginId: 1);
        for (int run = 0; run < Runs; run++)
        {
            var windows = new PackedWindows(stream, windowLength, seed: (ulong)run);
            var order = new WindowOrder([windows.Count], [1], (ulong)run);
            long[] ids = new long[windowLength];
            var clock = Stopwatch.StartNew();
            for (int i = 0; i < windows.Count; i++)
            {
                stream.CopyTo((long)order.At(new DataCursor(0, i)).Window * windowLength, ids);
            }

            double read = clock.Elapsed.TotalSeconds;
            clock.Restart();
            int batches = windows.Count / BatchSize;
            var cursor = default(DataCursor);
            for (int i = 0; i < batches; i++)
            {
                windows.Next(BatchSize, ref cursor).Dispose();
            }

            Console.WriteLine(
                $"windows of {windowLength}: {(double)windows.Count * windowLength / read / 1e6:N0} M ids/s as numbers, {(double)batches * BatchSize * windowLength / clock.Elapsed.TotalSeconds / 1e6:N0} M ids/s as tensors");
        }
    }
}
