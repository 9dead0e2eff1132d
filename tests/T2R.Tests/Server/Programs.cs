using System.Diagnostics;
using Xunit;

namespace T2R.Tests.Server;

/// <summary>Programs that a test may need and a machine may lack.</summary>
internal static class Programs
{
    /// <summary>Whether it is on the PATH.</summary>
    public static bool Has(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, name)));

    /// <summary>Skips the test unless node is here, no older than both the client and the page's script want it.</summary>
    public static async Task SkipWithoutNodeAsync()
    {
        Assert.SkipUnless(Has("node"), "there is no node");
        using Process node = Process.Start(new ProcessStartInfo("node", ["--version"]) { RedirectStandardOutput = true })!;
        string version = (await node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)).Trim();
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.SkipUnless(Version.Parse(version.TrimStart('v')) >= new Version(20, 10), $"node is {version}; 20.10 is wanted");
    }
}
