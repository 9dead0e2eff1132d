using System.Diagnostics;

namespace T2R.Tests.Cli;

/// <summary>Runs the program as a user does, in a process of its own.</summary>
internal static class T2rProcess
{
    /// <summary>Runs to the end.</summary>
    /// <param name="arguments">The command line behind <c>t2r</c>.</param>
    /// <param name="environment">Variables to set beside those of this process; null unsets.</param>
    public static async Task<(int ExitCode, string Output, string Error)> Run(string[] arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        using var process = Start(arguments, environment);
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Starts it; the caller reads both its outputs, waits for it and disposes it.</summary>
    public static Process Start(string[] arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "t2r"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string? value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }
}
