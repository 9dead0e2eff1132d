using System.Net;
using System.Net.Sockets;
using System.Text;
using T2R.Generation.Serving;
using T2R.Server;
using Xunit;

namespace T2R.Tests.Server;

/// <summary>Whatever is sent, it is answered as it should be, and the server lives.</summary>
public sealed class HostileTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync(engine: new EngineOptions { ReaderBuffer = 16, ReaderPatience = TimeSpan.FromMilliseconds(300) });

    // Nothing that was sent is left behind, and the next one is served.
    public async ValueTask DisposeAsync()
    {
        await TestServer.UntilAsync(() => _server.Engine.Statistics is { Active: 0, Waiting: 0 });
        await _server.DoneAsync("/v1/completions", """{"prompt": "the", "max_tokens": 3}""");
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Ten_thousand_stop_strings_are_too_many()
    {
        string stops = string.Join(", ", Enumerable.Range(0, 10_000).Select(i => $"\"{i}\""));
        Assert.Equal(HttpStatusCode.BadRequest, (await _server.PostAsync("/v1/completions", $$"""{"prompt": "a", "stop": [{{stops}}]}""")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await _server.PostAsync("/v1/completions", $$"""{"prompt": "a", "stop": "{{new string('x', 100_000)}}"}""")).Status);
    }

    [Fact]
    public async Task Ten_thousand_wrong_fields_are_answered_in_few_words()
    {
        string biases = string.Join(", ", Enumerable.Range(0, 10_000).Select(i => $"\"{i}\": 1000"));
        var (status, body) = await _server.PostAsync("/v1/completions", $$"""{"prompt": "a", "logit_bias": { {{biases}} } }""");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.InRange(body.ToJsonString().Length, 10, 10_000);
    }

    [Theory]
    [InlineData('[', ']')]
    [InlineData('{', '}')]
    public async Task Deep_nesting_is_refused(char open, char close)
    {
        string nested = open == '[' ? new string(open, 100_000) + new string(close, 100_000) : string.Concat(Enumerable.Repeat("{\"a\":", 100_000)) + "1" + new string(close, 100_000);
        Assert.Equal(HttpStatusCode.BadRequest, (await _server.PostAsync("/v1/completions", $$"""{"prompt": {{nested}}}""")).Status);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_of_a_hundred_megabytes_is_refused_before_it_is_read(bool saysItsLength)
    {
        string head = saysItsLength ? "Content-Length: 100000000" : "Transfer-Encoding: chunked";
        using Connection connection = await ConnectAsync();
        await connection.SendAsync($"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{head}\r\n\r\n");
        byte[] some = Encoding.ASCII.GetBytes(saysItsLength ? new string(' ', 65536) : "10000\r\n" + new string(' ', 65536) + "\r\n");
        Task<string> answer = connection.ReadToEndAsync();
        int sent = 0;
        try
        {
            for (; sent < 1600 && !answer.IsCompleted; sent++)
            {
                await connection.SendAsync(some);
            }
        }
        catch (IOException)
        {
            // It listens no longer.
        }

        Assert.StartsWith("HTTP/1.1 413 ", await answer);
        Assert.Contains("body_too_large", await answer);
        Assert.InRange(sent, 0, 1500);
    }

    [Theory]
    [InlineData("X: ", 100_000)]
    [InlineData("Authorization: Bearer ", 40_000)]
    public async Task Huge_headers_are_refused(string header, int length)
    {
        using Connection connection = await ConnectAsync();
        await connection.SendAsync($"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n{header}{new string('x', length)}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 431 ", await connection.ReadToEndAsync());
    }

    [Theory]
    [InlineData("GARBAGE\r\n\r\n", "HTTP/1.1 400 ")]
    [InlineData("GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 505 ")]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ")]
    [InlineData("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", "HTTP/1.1 400 ")]
    [InlineData("GET /../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 404 ")]
    public async Task What_is_no_request_is_refused(string bytes, string expected)
    {
        using Connection connection = await ConnectAsync();
        await connection.SendAsync(bytes);
        Assert.StartsWith(expected, await connection.ReadToEndAsync());
    }

    [Fact]
    public async Task A_body_that_stops_coming_is_given_up()
    {
        using Connection connection = await ConnectAsync();
        await connection.SendAsync("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{");
        Assert.StartsWith("HTTP/1.1 408 ", await connection.ReadToEndAsync());
    }

    [Fact]
    public async Task Who_reads_nothing_loses_the_slot_and_slows_nobody()
    {
        await using TestServer server = await TestServer.StartAsync(
            new ServerOptions { MaxNewTokens = int.MaxValue }, new EngineOptions { ReaderBuffer = 16, ReaderPatience = TimeSpan.FromMilliseconds(300) }, slots: 2);
        using Connection slow = await ConnectAsync(server);
        string body = $$"""{"prompt": "a", "max_tokens": 2000000000, "stream": true, "logprobs": 20, {{TestServer.Endless}}}""";
        await slow.SendAsync($"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        await TestServer.UntilAsync(() => server.Engine.Statistics.NewTokens > 0);
        await server.DoneAsync("/v1/completions", $$"""{"prompt": "the", "max_tokens": 50, {{TestServer.Endless}}}""");
        await TestServer.UntilAsync(() => server.Engine.Statistics.Active == 0);
        Assert.True(server.Engine.Statistics.Cancelled == 1);
    }

    private Task<Connection> ConnectAsync() => ConnectAsync(_server);

    private static async Task<Connection> ConnectAsync(TestServer server)
    {
        // Small windows: a reader that reads nothing is soon noticed.
        var client = new TcpClient { ReceiveBufferSize = 4096 };
        await client.ConnectAsync(IPAddress.Loopback, server.Server.Address.Port, TestContext.Current.CancellationToken);
        return new Connection(client);
    }

    private sealed class Connection(TcpClient client) : IDisposable
    {
        private readonly NetworkStream _stream = client.GetStream();

        public Task SendAsync(string text) => SendAsync(Encoding.ASCII.GetBytes(text));

        public Task SendAsync(byte[] bytes) => _stream.WriteAsync(bytes, TestContext.Current.CancellationToken).AsTask();

        /// <summary>What comes until the server closes; a reset ends it too.</summary>
        public async Task<string> ReadToEndAsync()
        {
            var text = new StringBuilder();
            var buffer = new byte[4096];
            try
            {
                for (int read; (read = await _stream.ReadAsync(buffer, TestContext.Current.CancellationToken)) > 0;)
                {
                    text.Append(Encoding.UTF8.GetString(buffer, 0, read));
                }
            }
            catch (IOException)
            {
                // Reset: what was sent before it counts.
            }

            return text.ToString();
        }

        public void Dispose() => client.Dispose();
    }
}
