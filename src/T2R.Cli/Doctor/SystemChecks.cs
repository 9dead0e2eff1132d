using System.Runtime.InteropServices;
using T2R.Interop;

namespace T2R.Cli.Doctor;

/// <summary>What the machine lends: memory, disk, a cache folder, the .NET runtime.</summary>
internal static class SystemChecks
{
    private const long LowMemory = 2_000_000_000, LowDisk = 2_000_000_000;

    public static IEnumerable<Finding> Run() => [Memory(), Disk(), Cache(), Runtime()];

    private static Finding Memory()
    {
        // Counts a container's limit, which /proc/meminfo does not.
        long limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        long free = Math.Min(MemAvailable(), limit);
        string found = $"{Quantity.Bytes(free)} free of {Quantity.Bytes(limit)}";
        return free >= LowMemory
            ? Finding.Ok("memory", found)
            : Finding.Warning("memory", found, "The quickstart needs about 1 GB: close other programs or raise the container's limit.");
    }

    private static Finding Disk()
    {
        string here = Directory.GetCurrentDirectory();
        long free = new DriveInfo(here).AvailableFreeSpace;
        string found = $"{Quantity.Bytes(free)} free at {here}";
        return free >= LowDisk ? Finding.Ok("disk", found) : Finding.Warning("disk", found, "A converted 7B checkpoint takes 15 GB: write it elsewhere with --out.");
    }

    private static Finding Cache()
    {
        string probe = Path.Combine(CacheFolder.Path, Path.GetRandomFileName());
        try
        {
            Directory.CreateDirectory(CacheFolder.Path);
            using (File.Create(probe, 1, FileOptions.DeleteOnClose))
            {
                return Finding.Ok("cache", $"{CacheFolder.Path} can be written");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Finding.Warning("cache", $"{CacheFolder.Path} cannot be written: {e.Message}", $"A temporary folder is used instead. Set XDG_CACHE_HOME to a folder that can be written.");
        }
    }

    private static Finding Runtime() =>
        Finding.Ok("runtime", $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription} ({RuntimeInformation.RuntimeIdentifier})");

    // proc_meminfo(5): an estimate of what can be had without swapping.
    private static long MemAvailable()
    {
        string line = File.ReadLines("/proc/meminfo").First(l => l.StartsWith("MemAvailable:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024;
    }
}
