using System.Diagnostics;

namespace T2R.Tests.Cli;

/// <summary>A file system in memory that is soon full.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly string _folder;

    private SmallDisk(string folder) => _folder = folder;

    /// <summary>Mounts it over an empty folder; null where that is not allowed.</summary>
    public static async Task<SmallDisk?> Mount(string folder, int kilobytes) =>
        await Run("mount", "-t", "tmpfs", "-o", $"size={kilobytes}k", "tmpfs", folder) ? new SmallDisk(folder) : null;

    public void Dispose() => Run("umount", _folder).GetAwaiter().GetResult();

    private static async Task<bool> Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            await process.WaitForExitAsync();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
