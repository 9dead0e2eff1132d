using System.Diagnostics;
using System.Text.Json.Nodes;
using T2R.Server;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Server;

/// <summary>The page, in a browser that <c>scripts/page-screenshot</c> uses as a person would.</summary>
public class PageTests
{
    [Fact]
    public async Task A_person_writes_a_beginning_and_sees_the_text_grow_while_the_state_does_not()
    {
        Assert.SkipUnless(Programs.Has("chromium"), "there is no chromium");
        await Programs.SkipWithoutNodeAsync();
        await using TestServer server = await TestServer.StartAsync(new ServerOptions { MaxNewTokens = int.MaxValue }, hasEnd: false);
        using var folder = new TemporaryFolder();
        string script = Path.Combine(Repository.Root, "scripts", "page-screenshot"), picture = folder["page.png"];
        using Process process = Process.Start(new ProcessStartInfo(script, [$"{server.Server.Address}", picture, "in the", "30"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, await error);
        JsonNode seen = JsonNode.Parse(await output)!;
        Assert.Equal(("", "in the"), ((string?)seen["error"], (string?)seen["given"]));
        Assert.Empty(seen["mistakes"]!.AsArray());
        Assert.Contains("tiny", (string?)seen["model"]);
        Assert.True((int)seen["tokens"]! >= 30);
        Assert.NotEmpty((string)seen["text"]!);
        double kilobytes = server.StateBytes / 1000.0;
        Assert.Equal($"{double.Round(kilobytes, 2)} kB", (string?)seen["state"]);
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], (await File.ReadAllBytesAsync(picture, TestContext.Current.CancellationToken))[..4]);
        await TestServer.UntilAsync(() => server.Engine.Statistics.Active == 0);
    }
}
