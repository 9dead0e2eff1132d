using System.Diagnostics;
using System.Globalization;
using T2R.Interop;

namespace T2R.Checkpoints;

/// <summary>Hidden names beside a target, <c>.name.partial-pid-random</c>, under which it is written, and what killed processes left under such names.</summary>
internal static class Leftover
{
    /// <summary>What is being written.</summary>
    internal const string Partial = "partial";

    /// <summary>What stood under the target's name until a moment ago.</summary>
    internal const string Replaced = "replaced";

    internal static string NewName(string target, string kind) =>
        Path.Combine(Path.GetDirectoryName(target)!, $"{Prefix(target, kind)}{Environment.ProcessId}-{Path.GetRandomFileName()[..8]}");

    /// <summary>Removes what dead processes left; if one died while it replaced the target, the old content comes back first.</summary>
    internal static void Remove(string target)
    {
        string parent = Path.GetDirectoryName(target)!;
        foreach (string kind in new[] { Replaced, Partial })
        {
            string prefix = Prefix(target, kind);
            foreach (string path in Directory.EnumerateFileSystemEntries(parent, ".*").Where(p => Path.GetFileName(p).StartsWith(prefix, StringComparison.Ordinal)))
            {
                RemoveIfDead(path, prefix, kind, target);
            }
        }
    }

    private static void RemoveIfDead(string path, string prefix, string kind, string target)
    {
        string[] rest = Path.GetFileName(path)[prefix.Length..].Split('-');
        if (rest.Length != 2 || !int.TryParse(rest[0], NumberStyles.None, CultureInfo.InvariantCulture, out int process) || IsAlive(process))
        {
            return;
        }

        // The number may belong to a living process of another container; then that process holds the lock.
        using var held = Posix.TryLock(path);
        if (held is null)
        {
            return;
        }

        try
        {
            if (kind == Replaced && !Path.Exists(target))
            {
                Posix.Move(path, target);
            }
            else if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
            else
            {
                File.Delete(path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another user's; it stands in nobody's way.
        }
    }

    private static string Prefix(string target, string kind) => $".{Path.GetFileName(target)}.{kind}-";

    private static bool IsAlive(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
