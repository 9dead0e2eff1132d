using System.Diagnostics;
using System.Text.Json.Nodes;
using T2R.Server;
using Xunit;

namespace T2R.Tests.Server;

/// <summary>OpenAI's own client for Node, as it comes.</summary>
public class NodeClientTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "tests", "T2R.Tests", "Server", "NodeClient");

    [Fact]
    public async Task It_completes_chats_streams_and_knows_the_errors()
    {
        await Programs.SkipWithoutNodeAsync();
        Assert.SkipUnless(Directory.Exists(Path.Combine(Folder, "node_modules", "openai")), $"the client is not installed: npm install --no-package-lock --prefix {Path.GetRelativePath(Repository.Root, Folder)}");
        await using TestServer server = await TestServer.StartAsync(new ServerOptions { ApiKey = "sk-test" });
        var start = new ProcessStartInfo("node", [Path.Combine(Folder, "client.mjs"), $"{server.Server.Address}", "sk-test"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process node = Process.Start(start)!;
        Task<string> output = node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), error = node.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(node.ExitCode == 0, await error);

        // It left a stream in the middle: that frees the slot.
        await TestServer.UntilAsync(() => server.Engine.Statistics.Active == 0);
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "sk-test");
        JsonNode got = JsonNode.Parse(await output)!;
        JsonNode alone = await server.DoneAsync("/v1/completions", $$"""{"prompt": "in the", "max_tokens": 24, "seed": 3, {{TestServer.Endless}}}""");
        Assert.Equal((string?)alone["choices"]![0]!["text"], (string?)got["completion"]);
    }
}
