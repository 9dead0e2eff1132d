using System.Globalization;

namespace T2R.Interop;

/// <summary>How much memory of the host this process may still take.</summary>
public static class HostMemory
{
    private const string Groups = "/sys/fs/cgroup";

    /// <summary>
    /// Bytes that can be taken without swapping: MemAvailable of /proc/meminfo (proc_meminfo(5)), or what the limit of the process's control group leaves (a container's
    /// memory) if that is less. Files in the system's cache count as free.
    /// </summary>
    public static long Available() => Math.Min(OfMachine(File.ReadLines("/proc/meminfo")), OfGroups(File.ReadAllLines("/proc/self/cgroup"), Groups));

    /// <summary>MemAvailable of /proc/meminfo's lines; as much as can be when the kernel does not say.</summary>
    internal static long OfMachine(IEnumerable<string> lines)
    {
        string? line = lines.FirstOrDefault(l => l.StartsWith("MemAvailable:", StringComparison.Ordinal));
        return line is not null && Number(line["MemAvailable:".Length..].Replace("kB", "", StringComparison.Ordinal)) is { } kibibytes ? kibibytes * 1024 : long.MaxValue;
    }

    /// <summary>What the limits of the process's control groups leave, of both versions of them; as much as can be when there is none.</summary>
    /// <param name="membership">Lines of /proc/self/cgroup (cgroups(7)): number:controllers:path, with number 0 and no controllers for version 2.</param>
    /// <param name="root">Where the groups are mounted.</param>
    internal static long OfGroups(IEnumerable<string> membership, string root)
    {
        long least = long.MaxValue;
        foreach (string[] parts in membership.Select(l => l.Split(':', 3)).Where(p => p.Length == 3))
        {
            if (parts[1].Length == 0)
            {
                least = Math.Min(least, OfGroup(root, parts[2], "memory.max", "memory.current"));
            }
            else if (parts[1].Split(',').Contains("memory"))
            {
                least = Math.Min(least, OfGroup(Path.Combine(root, "memory"), parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes"));
            }
        }

        return least;
    }

    // The group and all those above it; inside a container the path may be one that only the host has, and the root is the container's.
    private static long OfGroup(string root, string path, string limitFile, string usageFile)
    {
        long least = long.MaxValue;
        string[] names = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        for (int depth = 0; depth <= names.Length; depth++)
        {
            string group = Path.Combine([root, .. names[..depth]]);
            if (Content(group, limitFile) is { } limit && Content(group, usageFile) is { } usage)
            {
                least = Math.Min(least, Math.Max(0, limit - usage + CachedFiles(group)));
            }
        }

        return least;
    }

    private static long? Content(string group, string file)
    {
        string path = Path.Combine(group, file);
        return File.Exists(path) ? Number(File.ReadAllText(path)) : null;
    }

    private static long CachedFiles(string group)
    {
        string path = Path.Combine(group, "memory.stat");
        string? line = File.Exists(path) ? File.ReadLines(path).FirstOrDefault(l => l.StartsWith("inactive_file ", StringComparison.Ordinal)) : null;
        return line is null ? 0 : Number(line["inactive_file ".Length..]) ?? 0;
    }

    // Null for "max", which is no limit.
    private static long? Number(string text) => long.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;
}
