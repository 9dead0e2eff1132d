namespace T2R.Checkpoints;

/// <summary>The one failure of the world that users meet often, said plainly.</summary>
internal static class DiskFull
{
    private const int NoSpace = 28, QuotaExceeded = 122;

    /// <summary>Whether the system refused for want of room; on Linux .NET keeps the error number in HResult.</summary>
    internal static bool Means(IOException e) => e.HResult is NoSpace or QuotaExceeded;

    /// <summary>Writes; a full disk is reported with the name that the user knows, not that of the hidden file.</summary>
    internal static void Explain(string target, Action write)
    {
        try
        {
            write();
        }
        catch (IOException e) when (Means(e))
        {
            throw new IOException($"The disk is full: {target} could not be written and nothing of it is kept; free some space or choose another place.", e);
        }
    }

    /// <summary>Throws if fewer bytes are free where a path lies.</summary>
    /// <param name="existing">A folder on the file system that is going to hold the target.</param>
    /// <param name="target">Named in the error.</param>
    /// <param name="bytes">Bytes needed.</param>
    internal static void EnsureSpace(string existing, string target, long bytes)
    {
        var drive = new DriveInfo(existing);
        if (drive.AvailableFreeSpace < bytes)
        {
            throw new IOException(
                $"Not enough disk space: {target} needs {Size(bytes)} and {Size(drive.AvailableFreeSpace)} are free there; "
                + "nothing was written; free some space or choose another place.");
        }
    }

    /// <summary>A size as people say it.</summary>
    internal static string Size(long bytes) => bytes >= 1_000_000_000 ? $"{bytes / 1e9:F1} GB" : $"{bytes / 1e6:F1} MB";
}
