using System.Diagnostics;
using T2R.Checkpoints;
using T2R.Conversion;
using T2R.Interop;
using T2R.Models;
using T2R.Models.Mistral;
using static TorchSharp.torch;

namespace T2R.Benchmarks;

/// <summary>
/// How long a checkpoint takes to open, and how fast its tensors are read into the host's memory beside <c>cat FILES >/dev/null</c>, in turn, so that both find the
/// system's cache alike. Without a folder, a sparse one of Mistral-7B's shape is made in the temporary folder and removed in the end.
/// </summary>
internal static class ReadingMeasure
{
    private const int Rounds = 5;

    // As cat's.
    private const int BufferBytes = 128 << 10;

    public static void Run(string? path)
    {
        string folder = path ?? MakeSparse(Path.Combine(Path.GetTempPath(), $"t2r-sparse-{Environment.ProcessId}"));
        try
        {
            Measure(folder);
        }
        finally
        {
            if (path is null)
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private static void Measure(string path)
    {
        string[] files = [.. Directory.GetFiles(path, "*.safetensors").Order(StringComparer.Ordinal)];
        double[] opens = [.. Enumerable.Range(0, Rounds).Select(_ => Seconds(() => ModelFolder.Open(path).Dispose()))];
        using var folder = CheckpointFolder.Open(path);
        double bytes = folder.TotalBytes;
        Console.WriteLine($"{path}: {bytes / 1e9:F2} GB in {files.Length} files, {folder.Entries.Count} tensors; {Environment.ProcessorCount} processors");
        Console.WriteLine($"ModelFolder.Open                     {opens[0] * 1000,7:F1} ms the first time, {opens.Min() * 1000:F1} ms the best");
        using var there = empty(folder.Entries.Values.Max(e => e.ByteCount), ScalarType.Byte);
        there.fill_(1);
        using var buffer = empty(BufferBytes, ScalarType.Byte);
        double cat = double.MaxValue, through = double.MaxValue, into = double.MaxValue, fresh = double.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            cat = Math.Min(cat, Seconds(() => Cat(files)));
            through = Math.Min(through, Seconds(() => ReadAll(folder, entry =>
            {
                for (long first = 0; first < entry.ByteCount; first += BufferBytes)
                {
                    folder.Holding(entry.Name).Read(entry, first, TensorMemory.Bytes(buffer, 0, (int)Math.Min(BufferBytes, entry.ByteCount - first)));
                }
            })));
            into = Math.Min(into, Seconds(() => ReadAll(folder, entry =>
            {
                using var place = there.narrow(0, 0, entry.ByteCount);
                folder.Holding(entry.Name).Read(entry, 0, place);
            })));
            fresh = Math.Min(fresh, Seconds(() => ReadAll(folder, entry => folder.Read(entry.Name))));
        }

        Console.WriteLine($"cat FILES >/dev/null                 {bytes / cat / 1e9,7:F2} GB/s");
        Console.WriteLine($"every tensor through a buffer        {bytes / through / 1e9,7:F2} GB/s, {cat / through:P0} of cat");
        Console.WriteLine($"every tensor into one that is there  {bytes / into / 1e9,7:F2} GB/s, {cat / into:P0} of cat");
        Console.WriteLine($"every tensor into new memory         {bytes / fresh / 1e9,7:F2} GB/s, {cat / fresh:P0} of cat");
    }

    private static void ReadAll(CheckpointFolder folder, Action<TensorEntry> read)
    {
        foreach (TensorEntry entry in folder.Entries.Values)
        {
            using var scope = NewDisposeScope();
            read(entry);
        }
    }

    private static void Cat(string[] files)
    {
        using var cat = Process.Start("bash", ["-c", "cat \"$@\" >/dev/null", "cat", .. files]);
        cat.WaitForExit();
    }

    private static double Seconds(Action work)
    {
        var clock = Stopwatch.StartNew();
        work();
        return clock.Elapsed.TotalSeconds;
    }

    // Headers as a checkpoint in bf16 has them, and holes where the numbers would be.
    private static string MakeSparse(string path)
    {
        const long shardBytes = 5_000_000_000;
        var config = RandomModel.Presets["mistral-7b"];
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "config.json"), MistralFormat.WriteConfig(config, "bfloat16").ToJsonString());
        var specs = WeightLayout.Of(config).Select(s => new TensorSpec(MistralNames.Table.Theirs(s.Name), ScalarType.BFloat16, s.Shape)).ToList();
        var shards = new List<List<TensorSpec>> { new() };
        foreach (var spec in specs)
        {
            if (shards[^1].Sum(s => s.ByteCount) + spec.ByteCount > shardBytes)
            {
                shards.Add([]);
            }

            shards[^1].Add(spec);
        }

        string Name(int i) => $"model-{i + 1:D5}-of-{shards.Count:D5}.safetensors";
        for (int i = 0; i < shards.Count; i++)
        {
            using var stream = File.Create(Path.Combine(path, Name(i)));
            var writer = new SafeTensorsWriter(stream, shards[i]);
            stream.SetLength(stream.Position + writer.DataBytes);
        }

        File.WriteAllText(Path.Combine(path, ShardIndex.FileName), ShardIndex.Format(shards.SelectMany((s, i) => s.Select(t => (t.Name, Name(i)))), specs.Sum(s => s.ByteCount)));
        return path;
    }
}
