using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using T2R.Tests.Generation.Serving;
using Xunit;

namespace T2R.Tests.Server;

/// <summary>What clients hear of a model that fails.</summary>
public class FailureTests
{
    private const string Path = "/v1/completions";
    private const string Request = """ "prompt": "in the", "max_tokens": 5, "logit_bias": {"2": -100} """;

    [Fact]
    public async Task Logits_that_are_no_numbers_are_the_servers_fault_and_said()
    {
        await using TestServer server = await TestServer.StartAsync(new ToyDecoder(1, TinyTokens.Count) { Broken = 0 });
        var (status, body) = await server.PostAsync(Path, $"{{{Request}}}");
        Assert.Equal((HttpStatusCode.InternalServerError, "server_error"), (status, (string?)body["error"]!["type"]));
        Assert.Contains("not finite", (string?)body["error"]!["message"]);
    }

    [Fact]
    public async Task A_stream_that_fails_ends_with_the_error_and_no_done_and_the_next_one_is_served()
    {
        int reads = 0;
        var decoder = new ToyDecoder(1, TinyTokens.Count) { Reading = _ => Fail(++reads == 4) };
        var lines = new LogLines();
        using ILoggerFactory logs = LoggerFactory.Create(b => b.AddProvider(lines));
        await using TestServer server = await TestServer.StartAsync(decoder, logs);
        using HttpResponseMessage response = await server.BeginAsync(Path, $$"""{{{Request}}, "stream": true}""");
        string[] events = (await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.DoesNotContain("data: [DONE]", events);
        JsonNode error = JsonNode.Parse(events[^1]["data: ".Length..])!["error"]!;
        Assert.Equal("server_error", (string?)error["type"]);
        Assert.DoesNotContain("no more", (string?)error["message"]);
        await server.DoneAsync(Path, $"{{{Request}}}");
        await TestServer.UntilAsync(() => lines.All.Any(l => l.Contains("no more", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_model_that_has_failed_for_good_is_not_healthy()
    {
        var decoder = new ToyDecoder(1, TinyTokens.Count) { Reading = _ => Fail(true), Clearing = _ => Fail(true) };
        await using TestServer server = await TestServer.StartAsync(decoder);
        using (HttpResponseMessage before = await server.Client.GetAsync("/health", TestContext.Current.CancellationToken))
        {
            Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        }

        Assert.Equal(HttpStatusCode.InternalServerError, (await server.PostAsync(Path, $"{{{Request}}}")).Status);
        await TestServer.UntilAsync(() => !server.Engine.IsOpen);
        using HttpResponseMessage after = await server.Client.GetAsync("/health", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, after.StatusCode);
        var (status, body) = await server.PostAsync(Path, $"{{{Request}}}");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "engine_stopped"), (status, (string?)body["error"]!["code"]));
    }

    [Fact]
    public async Task A_request_that_is_refused_while_the_server_stops_is_no_failure_of_its()
    {
        var lines = new LogLines();
        using ILoggerFactory logs = LoggerFactory.Create(b => b.AddProvider(lines));
        await using TestServer server = await TestServer.StartAsync(new ToyDecoder(1, TinyTokens.Count), logs);
        await server.Engine.DrainAsync(TestContext.Current.CancellationToken);
        var (status, body) = await server.PostAsync(Path, $"{{{Request}}}");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "stopping"), (status, (string?)body["error"]!["code"]));
        await TestServer.UntilAsync(() => lines.All.Any(l => l.Contains("503", StringComparison.Ordinal)));
        Assert.DoesNotContain(lines.All, l => l.Contains("failed", StringComparison.Ordinal));
    }

    private static void Fail(bool now)
    {
        if (now)
        {
            throw new IOException("no more");
        }
    }
}
