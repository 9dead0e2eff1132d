namespace T2R.Interop;

/// <summary>This process's memory as the kernel counts it, in bytes, from /proc/self/status (proc_pid_status(5)).</summary>
/// <param name="Resident">VmRSS: what is in memory, mapped files included.</param>
/// <param name="Anonymous">RssAnon: what is in memory and belongs to no file.</param>
/// <param name="PeakResident">VmHWM: the most that <paramref name="Resident"/> ever was.</param>
public readonly record struct ProcessMemory(long Resident, long Anonymous, long PeakResident)
{
    /// <summary>Reads the counters now.</summary>
    /// <exception cref="InvalidDataException">The kernel does not report one of them.</exception>
    public static ProcessMemory Now() => Parse(File.ReadLines("/proc/self/status"));

    internal static ProcessMemory Parse(IEnumerable<string> status)
    {
        Dictionary<string, string> fields = status
            .Select(line => line.Split(':', 2))
            .Where(parts => parts.Length == 2)
            .ToDictionary(parts => parts[0], parts => parts[1].Trim());
        return new ProcessMemory(Bytes("VmRSS"), Bytes("RssAnon"), Bytes("VmHWM"));

        long Bytes(string name) =>
            fields.TryGetValue(name, out string? text) && text.EndsWith(" kB", StringComparison.Ordinal) && long.TryParse(text[..^3], out long kibibytes)
                ? kibibytes * 1024
                : throw new InvalidDataException($"/proc/self/status has no {name} in kB");
    }
}
