using System.Diagnostics;
using System.Globalization;
using T2R.Interop;
using T2R.Interop.Cuda;
using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Benchmarks;

/// <summary>
/// How fast a model's folder comes to the card, beside what the machine can do: a plain read of its files into pinned memory, by one thread and by eight, and a
/// pinned copy of as many bytes. Once with files that the system's cache does not hold, once with files that it does, if memory is enough for them. The bar's plain
/// way is the better of the two reads, and then the copy.
/// </summary>
internal static class LoadingMeasure
{
    private const int PieceBytes = 16 << 20;

    public static void Run(string path)
    {
        using var folder = ModelFolder.Open(path);
        string[] files = Directory.GetFiles(path, "*.safetensors");
        double bytes = folder.TotalBytes;
        var dtype = folder.Dtype;
        double copy = PinnedCopy.ToCard(bytes);
        Console.WriteLine($"{path}: {bytes / 1e9:F2} GB in {files.Length} files, loaded as {DtypeName.Of(dtype)}; {Environment.ProcessorCount} processors");
        Console.WriteLine($"pinned copy to the card                     {bytes / copy / 1e9,7:F2} GB/s");
        foreach (bool cached in (bool[])[false, true])
        {
            double one = Prepared(() => Read(files, 1)), eight = Prepared(() => Read(files, 8)), plain = Math.Min(one, eight) + copy;
            double load = 0;
            var memory = HostMemory.Around(() => load = Prepared(() =>
            {
                using var model = folder.Load(CUDA, dtype);
                cuda.synchronize();
            }));
            Console.WriteLine(cached ? "files in the system's cache" : "files on the disk");
            Console.WriteLine($"  plain read, one thread                    {bytes / one / 1e9,7:F2} GB/s");
            Console.WriteLine($"  plain read, eight threads                 {bytes / eight / 1e9,7:F2} GB/s");
            Console.WriteLine($"  plain read and pinned copy, one by one    {bytes / plain / 1e9,7:F2} GB/s");
            Console.WriteLine($"  ModelFolder.Load                          {bytes / load / 1e9,7:F2} GB/s, {plain / load:P0} of the plain way, in {load:F2} s");
            Console.WriteLine($"  most host memory while loading            {memory.Anonymous / 1e9,7:F2} GB more of the process's own, {memory.System / 1e9:F2} GB less available on the machine");

            double Prepared(Action work)
            {
                if (!cached)
                {
                    Forget(files);
                }

                var clock = Stopwatch.StartNew();
                work();
                return clock.Elapsed.TotalSeconds;
            }
        }
    }

    private static double Read(string[] files, int threads)
    {
        var pieces = files.SelectMany(f => Enumerable.Range(0, (int)((new FileInfo(f).Length + PieceBytes - 1) / PieceBytes)).Select(i => (File: f, Offset: (long)i * PieceBytes))).ToList();
        var handles = files.ToDictionary(f => f, f => File.OpenHandle(f));
        var buffers = Enumerable.Range(0, threads).Select(_ => new PinnedMemory(device: 0, PieceBytes)).ToArray();
        var clock = Stopwatch.StartNew();
        int next = -1;
        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
        {
            using var view = buffers[i].View(0, [PieceBytes], ScalarType.Byte);
            for (int piece = Interlocked.Increment(ref next); piece < pieces.Count; piece = Interlocked.Increment(ref next))
            {
                RandomAccess.Read(handles[pieces[piece].File], TensorMemory.Bytes(view), pieces[piece].Offset);
            }
        });
        double seconds = clock.Elapsed.TotalSeconds;
        Array.ForEach(buffers, b => b.Dispose());
        handles.Values.ToList().ForEach(h => h.Dispose());
        return seconds;
    }

    // coreutils: with count=0 the system drops what it has of the whole file.
    private static void Forget(string[] files)
    {
        foreach (string file in files)
        {
            using var dd = Process.Start("dd", ["if=" + file, "iflag=nocache", "count=0", "status=none"]);
            dd.WaitForExit();
        }
    }

    /// <summary>The most that work took, sampled every 5 ms.</summary>
    private readonly record struct HostMemory(long Anonymous, long System)
    {
        public static HostMemory Around(Action work)
        {
            var (before, availableBefore) = (ProcessMemory.Now().Anonymous, Available());
            var most = default(HostMemory);
            using var done = new CancellationTokenSource();
            var sampling = Task.Run(async () =>
            {
                while (!done.IsCancellationRequested)
                {
                    most = new HostMemory(Math.Max(most.Anonymous, ProcessMemory.Now().Anonymous - before), Math.Max(most.System, availableBefore - Available()));
                    await Task.Delay(5);
                }
            });
            work();
            done.Cancel();
            sampling.Wait();
            return most;
        }

        private static long Available() => 1024 * long.Parse(
            File.ReadLines("/proc/meminfo").First(l => l.StartsWith("MemAvailable:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
