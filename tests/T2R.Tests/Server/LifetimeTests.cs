using System.Net;
using System.Text.Json.Nodes;
using T2R.Server;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Server;

public sealed class LifetimeTests
{
    private const string Path = "/v1/completions";
    private static readonly ServerOptions Long = new() { MaxNewTokens = int.MaxValue };
    private static readonly string Endless = $$"""{"prompt": "a", "max_tokens": 2000000000, "stream": true, {{TestServer.Endless}}}""";

    [Fact]
    public async Task A_client_that_leaves_frees_its_slot_and_one_that_waits_its_place()
    {
        await using TestServer server = await TestServer.StartAsync(Long, slots: 1);
        using HttpResponseMessage running = await server.BeginAsync(Path, Endless), waiting = await server.BeginAsync(Path, Endless);
        await TestServer.UntilAsync(() => server.Engine.Statistics is { Active: 1, Waiting: 1 });
        waiting.Dispose();
        await TestServer.UntilAsync(() => server.Engine.Statistics is { Active: 1, Waiting: 0 });
        running.Dispose();
        await TestServer.UntilAsync(() => server.Engine.Statistics is { Active: 0, Waiting: 0 });
        Assert.Equal(2, server.Engine.Statistics.Cancelled);
    }

    [Fact]
    public async Task A_client_that_leaves_before_an_answer_that_comes_as_one_frees_all_its_slots()
    {
        await using TestServer server = await TestServer.StartAsync(Long);
        using var leave = new CancellationTokenSource();
        Task<HttpResponseMessage> answer = server.BeginAsync(Path, Endless.Replace("\"stream\": true", "\"n\": 3", StringComparison.Ordinal), leave.Token);
        await TestServer.UntilAsync(() => server.Engine.Statistics.Active == 3);
        leave.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
        await TestServer.UntilAsync(() => server.Engine.Statistics.Active == 0);
    }

    [Fact]
    public async Task Stopping_lets_what_runs_end()
    {
        await using TestServer server = await TestServer.StartAsync(Long);
        Task<List<JsonNode>> running = server.StreamAsync(Path, $$"""{"prompt": "a", "max_tokens": 300, "stream": true, {{TestServer.Endless}}}""");
        await TestServer.UntilAsync(() => server.Engine.Statistics.NewTokens > 0);
        await server.Server.StopAsync(TimeSpan.FromMinutes(1));
        Assert.Equal("length", (string?)(await running)[^1]["choices"]![0]!["finish_reason"]);
        await Assert.ThrowsAsync<HttpRequestException>(() => server.Client.GetStringAsync("/health", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Stopping_cancels_what_does_not_end_in_time_and_says_so()
    {
        await using TestServer server = await TestServer.StartAsync(Long);
        using HttpResponseMessage running = await server.BeginAsync(Path, Endless);
        Task<(HttpStatusCode Status, JsonNode Body)> whole = server.PostAsync(Path, Endless.Replace("\"stream\": true", "\"n\": 1", StringComparison.Ordinal));
        await TestServer.UntilAsync(() => server.Engine.Statistics.Active == 2);
        await server.Server.StopAsync(TimeSpan.FromMilliseconds(100));
        string last = (await running.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[^1];
        Assert.Equal("ended", (string?)JsonNode.Parse(last["data: ".Length..])!["error"]!["code"]);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "ended"), ((await whole).Status, (string?)(await whole).Body["error"]!["code"]));
    }

    [Fact]
    public async Task A_port_that_is_taken_is_the_worlds_fault()
    {
        await using TestServer server = await TestServer.StartAsync();
        var taken = new ServerOptions { Port = server.Server.Address.Port };
        await Assert.ThrowsAsync<IOException>(() => HttpServer.StartAsync(server.Model, taken, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Options_out_of_range_are_named_all_at_once()
    {
        await using TestServer server = await TestServer.StartAsync();
        var wrong = new ServerOptions { Port = 70000, ApiKey = "a b", MaxBodyBytes = 0, MaxPromptTokens = 0, MaxNewTokens = -1, MaxSessions = -1 };
        var e = await Assert.ThrowsAsync<UserErrorException>(
            () => HttpServer.StartAsync(server.Model, wrong, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance, TestContext.Current.CancellationToken));
        Assert.Equal(6, e.Problems.Count);
    }

    [Fact]
    public async Task A_server_that_came_and_went_leaves_no_tensors()
    {
        long before = TensorCount.Settled();
        await using (TestServer server = await TestServer.StartAsync())
        {
            await server.DoneAsync(Path, """{"prompt": "the", "max_tokens": 20}""");
            Assert.True(Tensor.TotalCount > before);
        }

        Assert.Equal(before, TensorCount.Settled());
    }
}
