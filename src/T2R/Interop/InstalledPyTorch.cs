using System.ComponentModel;
using System.Diagnostics;

namespace T2R.Interop;

/// <summary>Asks the Python on the path where its PyTorch lies, without importing it.</summary>
internal static class InstalledPyTorch
{
    private const string Question =
        "import importlib.util,os; s=importlib.util.find_spec('torch'); print(os.path.join(os.path.dirname(s.origin),'lib') if s and s.origin else '')";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>PyTorch's folder of libraries, or null when there is no Python, no PyTorch, or no answer in time.</summary>
    public static LibTorchFolder? Find()
    {
        foreach (string python in new[] { "python3", "python" })
        {
            if (Ask(python) is { Length: > 0 } folder && new LibTorchFolder(folder, $"the PyTorch of {python}") is { HasLibTorch: true } found)
            {
                return found;
            }
        }

        return null;
    }

    private static string? Ask(string python)
    {
        var start = new ProcessStartInfo(python, ["-c", Question]) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var process = Process.Start(start)!;
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            Task<string> answer = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(Patience))
            {
                process.Kill(entireProcessTree: true);
                return null;
            }

            return process.ExitCode == 0 ? answer.GetAwaiter().GetResult().Trim() : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
