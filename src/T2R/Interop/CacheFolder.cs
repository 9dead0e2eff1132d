namespace T2R.Interop;

/// <summary>Where the program keeps what it can make again: $XDG_CACHE_HOME/t2r, or ~/.cache/t2r (XDG Base Directory Specification).</summary>
public static class CacheFolder
{
    /// <summary>The folder; it may not exist yet.</summary>
    public static string Path { get; } = System.IO.Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg && System.IO.Path.IsPathRooted(xdg)
            ? xdg
            : System.IO.Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "t2r");

    /// <summary>The folder and, for where it cannot be written, one of this user's below the system's temporary folder.</summary>
    internal static IReadOnlyList<string> Candidates() => [Path, System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"t2r-{Environment.UserName}")];
}
