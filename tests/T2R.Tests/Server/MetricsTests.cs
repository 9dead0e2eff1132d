using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using T2R.Server;
using Xunit;

namespace T2R.Tests.Server;

public sealed partial class MetricsTests
{
    [Fact]
    public async Task The_metrics_count_what_was_done()
    {
        await using TestServer server = await TestServer.StartAsync();
        await server.DoneAsync("/v1/completions", $$"""{"prompt": "the", "max_tokens": 10, {{TestServer.Endless}}}""");
        await server.PostAsync("/v1/completions", "{");
        await server.PostAsync("/v1/nothing", "{}");
        int prompt = 1 + server.Tokenizer.EncodeToIds("the").Count;
        Assert.Equal(4, await server.MetricAsync("t2r_slots"));
        Assert.Equal(0, await server.MetricAsync("t2r_active_sequences"));
        Assert.Equal(prompt, await server.MetricAsync("t2r_prompt_tokens_total"));
        Assert.Equal(10, await server.MetricAsync("t2r_generated_tokens_total"));
        Assert.Equal(1, await server.MetricAsync("""t2r_generations_total{outcome="finished"}"""));
        Assert.Equal(1, await server.MetricAsync("""t2r_http_requests_total{endpoint="/v1/completions",status="200"}"""));
        Assert.Equal(1, await server.MetricAsync("""t2r_http_requests_total{endpoint="/v1/completions",status="400"}"""));
        Assert.Equal(1, await server.MetricAsync("""t2r_http_requests_total{endpoint="none",status="404"}"""));
        Assert.Equal(1, await server.MetricAsync("t2r_time_to_first_token_seconds_count"));
        Assert.Equal(1, await server.MetricAsync("t2r_time_per_token_seconds_count"));
        Assert.True(await server.MetricAsync("t2r_time_to_first_token_seconds_sum") > 0);
        Assert.True(await server.MetricAsync("process_working_set_bytes") > 0);
    }

    [Fact]
    public async Task The_state_of_a_running_sequence_is_measured_and_does_not_grow()
    {
        await using TestServer server = await TestServer.StartAsync(new ServerOptions { MaxNewTokens = int.MaxValue });
        long expected = server.StateBytes;
        using HttpResponseMessage running = await server.BeginAsync("/v1/completions", $$"""{"prompt": "a", "max_tokens": 2000000000, "stream": true, {{TestServer.Endless}}}""");
        foreach (int tokens in new[] { 10, 500 })
        {
            await TestServer.UntilAsync(() => server.Engine.Statistics.NewTokens > tokens);
            Assert.Equal(1, await server.MetricAsync("t2r_active_sequences"));
            Assert.Equal(expected, await server.MetricAsync("t2r_state_bytes"));
        }
    }

    [Fact]
    public async Task Every_line_is_of_the_text_format()
    {
        await using TestServer server = await TestServer.StartAsync();
        using HttpResponseMessage response = await server.Client.GetAsync("/metrics", TestContext.Current.CancellationToken);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        string[] lines = (await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).TrimEnd('\n').Split('\n');
        Assert.All(lines, line => Assert.Matches(Line(), line));
        Assert.Contains(lines, l => l.StartsWith("# TYPE t2r_time_per_token_seconds histogram", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_request_is_a_line_in_the_log_that_holds_nothing_of_what_was_said()
    {
        var lines = new LogLines();
        using (ILoggerFactory logs = LoggerFactory.Create(b => b.AddProvider(lines)))
        {
            await using TestServer server = await TestServer.StartAsync(logs: logs);
            await server.DoneAsync("/v1/completions?secret-query", $$"""{"prompt": "secret in the", "max_tokens": 3, "user": "secret-user", {{TestServer.Endless}}}""");
            await server.PostAsync("/secret-path", "{}");
            await server.PostAsync("/v1/completions", """{"prompt": {"secret": 1}}""");
        }

        Assert.Contains(lines.All, l => l.StartsWith("POST /v1/completions 200 in ", StringComparison.Ordinal) && l.EndsWith("+ 3 tokens", StringComparison.Ordinal));
        Assert.Contains(lines.All, l => l.StartsWith("POST none 404 in ", StringComparison.Ordinal));
        Assert.DoesNotContain(lines.All, l => l.StartsWith("POST", StringComparison.Ordinal) && l.Contains("secret", StringComparison.Ordinal));
    }

    [GeneratedRegex(@"^(# (HELP|TYPE) .+|[a-z_][a-z0-9_]*(\{[a-z_]+=""[^""]*""(,[a-z_]+=""[^""]*"")*\})? (NaN|[+-]Inf|[-+0-9.eE]+))$")]
    private static partial Regex Line();
}
