using System.Diagnostics;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Ops;

/// <summary>Programs of <c>tests/Emulator</c>, which run a card's kernels on a CPU.</summary>
internal static class Emulator
{
    /// <summary>Why a test is skipped.</summary>
    public const string Lack = "there is no g++";

    /// <summary>Whether they can be built.</summary>
    public static bool HasCompiler() =>
        (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':').Any(folder => File.Exists(Path.Combine(folder, "g++")));

    /// <summary>Builds one.</summary>
    /// <param name="program">Its name.</param>
    /// <param name="definitions">What the kernel is compiled for, such as <c>WIDTH=256</c>, separated by spaces.</param>
    /// <param name="folder">Receives it.</param>
    /// <returns>Its path.</returns>
    public static string Build(string program, string definitions, TemporaryFolder folder)
    {
        string emulator = Path.Combine(Repository.Root, "tests", "Emulator"), built = folder[program];
        string[] defined = [.. definitions.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(d => $"-D{d}")];
        Run("g++", ["-O2", "-std=c++17", "-w", $"-I{emulator}", $"-I{Path.Combine(Repository.Root, "src", "T2R")}", .. defined, Path.Combine(emulator, $"{program}.cpp"), "-o", built]);
        return built;
    }

    /// <summary>Runs a program, which must end with 0.</summary>
    public static void Run(string program, IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}:\n{output}{error.Result}");
    }
}
