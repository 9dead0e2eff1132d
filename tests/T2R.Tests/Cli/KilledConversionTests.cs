using System.Security.Cryptography;
using T2R.Tests.Checkpoints;
using T2R.Tests.Conversion;
using Xunit;

namespace T2R.Tests.Cli;

/// <summary>A conversion that replaces a model and is killed by a signal that it cannot catch leaves the old model or the new one, to the byte.</summary>
public class KilledConversionTests
{
    [Fact]
    public async Task A_kill_at_any_moment_leaves_the_old_folder_or_the_new()
    {
        using var temporary = new TemporaryFolder();
        TinyTransformer.Write(temporary["source"], TinyTransformer.Config with { VocabularySize = 400_000 });
        var whole = new Dictionary<string, string>();
        foreach (string seed in (string[])["1", "2"])
        {
            Assert.Equal(0, (await T2rProcess.Run(Convert("target", seed))).ExitCode);
            whole.Add(seed, Content(temporary["target"]));
        }

        Assert.NotEqual(whole["1"], whole["2"]);
        var random = new Random(3);
        int killed = 0, whileWritten = 0;
        string now = "2";
        for (int kill = 0; kill < 8; kill++)
        {
            string wanted = now == "1" ? "2" : "1";
            using var process = T2rProcess.Start(Convert("target", wanted));
            SpinWait.SpinUntil(() => process.HasExited || Hidden().Length > 0, TimeSpan.FromMinutes(1));
            await Task.Delay(random.Next(120), TestContext.Current.CancellationToken);
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            killed += process.ExitCode == 128 + 9 ? 1 : 0;
            whileWritten += Hidden().Length > 0 ? 1 : 0;
            string left = Content(temporary["target"]);
            Assert.Contains(left, whole.Values);
            now = whole.Single(w => w.Value == left).Key;
        }

        Assert.InRange(killed, 1, 8);
        Assert.InRange(whileWritten, 1, 8);
        Assert.Equal(0, (await T2rProcess.Run(Convert("target", "1"))).ExitCode);
        Assert.Equal(whole["1"], Content(temporary["target"]));
        Assert.Equal(["source", "target"], temporary.Names);

        string[] Convert(string target, string seed) => ["convert", temporary["source"], "--out", temporary[target], "--seed", seed, "--force"];

        string[] Hidden() => [.. temporary.Names.Where(n => n.StartsWith('.'))];
    }

    private static string Content(string folder) => string.Join('\n', Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal).Select(f => $"{Path.GetRelativePath(folder, f)} {System.Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(f)))}"));
}
