using System.Diagnostics;
using T2R.Tests.Checkpoints.Fuzzing;

namespace T2R.Benchmarks;

/// <summary>Tries mutated SafeTensors files, as the tests do, by the million; its last lines say how many and what came of them.</summary>
internal static class FuzzFiles
{
    private const int LinesEvery = 5;

    public static int Run(long inputs, int seed)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"t2r-fuzz-{Environment.ProcessId}")).FullName;
        var fuzzer = new FileFuzzer(folder, seed);
        var clock = Stopwatch.StartNew();
        double next = LinesEvery;
        try
        {
            while (fuzzer.Tried < inputs)
            {
                fuzzer.Step();
                if (clock.Elapsed.TotalSeconds > next)
                {
                    next += LinesEvery;
                    double rate = fuzzer.Tried / clock.Elapsed.TotalSeconds;
                    Console.Error.WriteLine($"fuzz: {fuzzer.Tried:N0} of {inputs:N0} inputs, {rate:N0} a second, {(inputs - fuzzer.Tried) / rate:F0} s left, {fuzzer.Outcomes.Count} outcomes");
                }
            }
        }
        catch (Exception e)
        {
            Console.WriteLine($"seed {seed}, input {fuzzer.Tried + 1:N0}: {e}");
            Console.WriteLine($"The input lies in {folder}.");
            return 1;
        }

        Directory.Delete(folder, recursive: true);
        foreach (var (said, times) in fuzzer.Stricter)
        {
            Console.WriteLine($"stricter than the reference, {times:N0} times: {said}");
        }

        Console.WriteLine($"seed {seed}, {clock.Elapsed.TotalSeconds:F0} s: {fuzzer.Opened:N0} opened, {fuzzer.Tried - fuzzer.Opened:N0} refused in words, {fuzzer.Outcomes.Count} outcomes");
        Console.WriteLine($"{fuzzer.Tried:N0} inputs tried, 0 crashes: each was refused in words, or is one that the reference implementation takes and was read to the end of its data");
        Console.WriteLine($"largest allocation for one input: {fuzzer.LargestAllocation:N0} bytes");
        return 0;
    }
}
