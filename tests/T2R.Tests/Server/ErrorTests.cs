using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using T2R.Generation.Serving;
using T2R.Server;
using Xunit;

namespace T2R.Tests.Server;

public sealed class ErrorTests : IAsyncLifetime
{
    private const string Completions = "/v1/completions", Chats = "/v1/chat/completions";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync(new ServerOptions { MaxPromptTokens = 40, MaxNewTokens = 5000 }, new EngineOptions { MaxQueue = 2 }, slots: 1);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData(Completions, "prompt", "5")]
    [InlineData(Completions, "prompt", "[]")]
    [InlineData(Completions, "prompt", "[[]]")]
    [InlineData(Completions, "prompt", "[\"a\", 3]")]
    [InlineData(Completions, "prompt", "[1, \"a\"]")]
    [InlineData(Completions, "prompt", "[1, 100000]")]
    [InlineData(Completions, "prompt", "[1, -1]")]
    [InlineData(Completions, "model", "5")]
    [InlineData(Completions, "max_tokens", "\"5\"")]
    [InlineData(Completions, "max_tokens", "-1")]
    [InlineData(Completions, "max_tokens", "5001")]
    [InlineData(Completions, "max_tokens", "1e99")]
    [InlineData(Completions, "temperature", "\"hot\"")]
    [InlineData(Completions, "temperature", "-0.5")]
    [InlineData(Completions, "temperature", "1e999")]
    [InlineData(Completions, "top_p", "0")]
    [InlineData(Completions, "top_p", "1.5")]
    [InlineData(Completions, "top_k", "0")]
    [InlineData(Completions, "top_k", "2.5")]
    [InlineData(Completions, "min_p", "-1")]
    [InlineData(Completions, "repetition_penalty", "0")]
    [InlineData(Completions, "logit_bias", "[1]")]
    [InlineData(Completions, "logit_bias", "{\"a\": 1}")]
    [InlineData(Completions, "logit_bias", "{\"100000\": 1}")]
    [InlineData(Completions, "logit_bias", "{\"5\": \"1\"}")]
    [InlineData(Completions, "logit_bias", "{\"5\": 101}")]
    [InlineData(Completions, "seed", "0.5")]
    [InlineData(Completions, "seed", "99999999999999999999")]
    [InlineData(Completions, "n", "0")]
    [InlineData(Completions, "n", "129")]
    [InlineData(Completions, "stop", "5")]
    [InlineData(Completions, "stop", "[\"a\", 5]")]
    [InlineData(Completions, "stop", "\"\"")]
    [InlineData(Completions, "stream", "\"yes\"")]
    [InlineData(Completions, "stream_options", "true")]
    [InlineData(Completions, "stream_options.include_usage", "5", "\"stream_options\": {\"include_usage\": 5}")]
    [InlineData(Completions, "logprobs", "true")]
    [InlineData(Completions, "logprobs", "21")]
    [InlineData(Completions, "echo", "1")]
    [InlineData(Completions, "suffix", "\"the end\"")]
    [InlineData(Completions, "best_of", "4")]
    [InlineData(Completions, "presence_penalty", "0.5")]
    [InlineData(Completions, "frequency_penalty", "-1")]
    [InlineData(Completions, "session_id", "5")]
    [InlineData(Completions, "session_id", "\"\"")]
    [InlineData(Completions, "session_id", "\"s\"", "\"session_id\": \"s\", \"n\": 2")]
    [InlineData(Completions, "session_id", "\"s\"", "\"session_id\": \"s\", \"echo\": true")]
    [InlineData(Chats, "messages", "null")]
    [InlineData(Chats, "messages", "[]")]
    [InlineData(Chats, "messages", "\"hello\"")]
    [InlineData(Chats, "messages[0]", "[5]")]
    [InlineData(Chats, "messages[0].role", "[{}]", "\"messages\": [{\"content\": \"a\"}]")]
    [InlineData(Chats, "messages[1].role", "", "\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"tool\", \"content\": \"a\"}]")]
    [InlineData(Chats, "messages[0].content", "", "\"messages\": [{\"role\": \"user\"}]")]
    [InlineData(Chats, "messages[0].content", "", "\"messages\": [{\"role\": \"user\", \"content\": 5}]")]
    [InlineData(Chats, "messages[0].content", "", "\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\"}]}]")]
    [InlineData(Chats, "tools", "[{}]")]
    [InlineData(Chats, "response_format", "{\"type\": \"json_object\"}")]
    [InlineData(Chats, "top_logprobs", "\"a\"")]
    [InlineData(Chats, "max_completion_tokens", "\"a\"")]
    public async Task A_field_that_is_wrong_is_named(string path, string field, string value, string? fields = null)
    {
        fields ??= field.StartsWith("messages", StringComparison.Ordinal) ? $"\"messages\": {value}"
            : path == Chats ? $$""" "messages": [{"role": "user", "content": "a"}], "{{field}}": {{value}} """
            : $"\"{field}\": {value}";
        var (status, body) = await _server.PostAsync(path, $"{{{fields}}}");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("invalid_request_error", (string?)body["error"]!["type"]);
        Assert.Equal(field, (string?)body["error"]!["param"]);
        Assert.Contains($"'{field.Split('.')[^1]}'", (string?)body["error"]!["message"]);
    }

    [Fact]
    public async Task All_that_is_wrong_is_named_at_once()
    {
        string message = await MessageAsync(HttpStatusCode.BadRequest, Completions, """{"prompt": 5, "temperature": "a", "top_p": 7, "stop": [3], "suffix": "x", "n": -1}""");
        Assert.All(["prompt", "temperature", "top_p", "stop", "suffix", "n"], field => Assert.Contains($"'{field}'", message));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[1]")]
    [InlineData("\"prompt\"")]
    [InlineData("{\"prompt\": \"a\",}")]
    [InlineData("{\"prompt\": \"a\"} {}")]
    [InlineData("{\"prompt\": NaN}")]
    [InlineData("{\"prompt\": \"\\ud800\"}")]
    [InlineData("{\"\\ud800\": \"a\", \"prompt\": \"\\udc00\"}")]
    public async Task A_body_that_is_no_JSON_object_of_text_is_refused(string body)
    {
        var (status, error) = await _server.PostAsync(Completions, body);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("invalid_json", (string?)error["error"]!["code"]);
    }

    [Fact]
    public async Task A_body_that_is_not_said_to_be_JSON_is_refused()
    {
        using HttpResponseMessage response = await _server.Client.PostAsync(Completions, new StringContent("{}", Encoding.UTF8, "text/plain"), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }

    [Fact]
    public async Task An_unknown_model_is_not_found()
    {
        var (status, body) = await _server.PostAsync(Completions, """{"model": "gpt-4", "prompt": "a"}""");
        Assert.Equal((HttpStatusCode.NotFound, "model_not_found"), (status, (string?)body["error"]!["code"]));
        using HttpResponseMessage response = await _server.Client.GetAsync("/v1/models/gpt-4", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Theory]
    [InlineData("GET", Completions, HttpStatusCode.MethodNotAllowed)]
    [InlineData("DELETE", Chats, HttpStatusCode.MethodNotAllowed)]
    [InlineData("POST", "/v1/models", HttpStatusCode.MethodNotAllowed)]
    [InlineData("POST", "/", HttpStatusCode.MethodNotAllowed)]
    [InlineData("GET", "/v1/embeddings", HttpStatusCode.NotFound)]
    [InlineData("GET", "/page.css/../../../../etc/passwd", HttpStatusCode.NotFound)]
    [InlineData("GET", "/%2e%2e/%2e%2e/etc/passwd", HttpStatusCode.NotFound)]
    [InlineData("GET", "/T2R.Server.dll", HttpStatusCode.NotFound)]
    public async Task A_path_or_method_that_is_not_there_says_so_in_JSON(string method, string path, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using HttpResponseMessage response = await _server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(expected, response.StatusCode);
        Assert.NotNull(JsonNode.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!["error"]!["message"]);
    }

    [Fact]
    public async Task A_prompt_that_is_too_long_is_told_apart()
    {
        var (status, body) = await _server.PostAsync(Completions, $$"""{"prompt": "{{string.Concat(Enumerable.Repeat("the ", 100))}}"}""");
        Assert.Equal((HttpStatusCode.BadRequest, "context_length_exceeded"), (status, (string?)body["error"]!["code"]));
        Assert.Contains("40", (string?)body["error"]!["message"]);
        (_, body) = await _server.PostAsync(Completions, $$"""{"prompt": "{{new string('a', 100_000)}}"}""");
        Assert.Contains("at least", (string?)body["error"]!["message"]);
    }

    [Fact]
    public async Task A_full_queue_says_when_to_try_again_and_begins_none_of_a_request()
    {
        string request = $$"""{"prompt": "a", "max_tokens": 5000, "stream": true, {{TestServer.Endless}}}""";
        using HttpResponseMessage running = await _server.BeginAsync(Completions, request);
        await TestServer.UntilAsync(() => _server.Engine.Statistics.Active == 1);
        using HttpResponseMessage first = await _server.BeginAsync(Completions, request);
        using (HttpResponseMessage response = await _server.Client.PostAsync(
            Completions, new StringContent("""{"prompt": ["a", "b", "c"]}""", Encoding.UTF8, "application/json"), TestContext.Current.CancellationToken))
        {
            Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
            Assert.Equal(TimeSpan.FromSeconds(1), response.Headers.RetryAfter!.Delta);
            Assert.Contains("queue_full", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }

        // What of the three had been taken has left the queue again.
        await TestServer.UntilAsync(() => _server.Engine.Statistics.Waiting == 1);
        first.Dispose();
        running.Dispose();
        await TestServer.UntilAsync(() => _server.Engine.Statistics is { Active: 0, Waiting: 0 });
        await _server.DoneAsync(Completions, """{"prompt": "a"}""");
    }

    [Fact]
    public async Task A_request_for_more_than_the_server_ever_takes_at_once_is_wrong_rather_than_early()
    {
        Assert.Contains("at most 3", await MessageAsync(HttpStatusCode.BadRequest, Completions, """{"prompt": ["a", "b"], "n": 2}"""));
        Assert.Contains("at most 3", await MessageAsync(HttpStatusCode.BadRequest, Chats, """{"messages": [{"role": "user", "content": "a"}], "n": 4}"""));
        await _server.DoneAsync(Completions, """{"prompt": "a", "n": 3, "max_tokens": 2}""");
    }

    [Fact]
    public async Task Biases_are_counted_before_they_are_read()
    {
        string biases = string.Join(", ", Enumerable.Range(0, 1025).Select(i => $"\"no id {i}\": 1"));
        Assert.Contains("'logit_bias' has 1025 ids", await MessageAsync(HttpStatusCode.BadRequest, Completions, $$$"""{"prompt": "a", "logit_bias": { {{{biases}}} } }"""));
    }

    [Fact]
    public async Task Stops_are_counted_without_the_templates()
    {
        Assert.Contains("'stop' has 17 strings", await MessageAsync(HttpStatusCode.BadRequest, Chats, Chat(17)));
        await _server.DoneAsync(Chats, Chat(16));

        static string Chat(int stops) =>
            $$"""{"messages": [{"role": "user", "content": "a"}], "max_tokens": 2, "stop": [{{string.Join(", ", Enumerable.Repeat("\"never to be found\"", stops))}}]}""";
    }

    [Fact]
    public async Task A_model_with_a_template_that_is_not_known_completes_and_does_not_chat()
    {
        await using TestServer server = await TestServer.StartAsync(hasTemplate: false);
        var (status, body) = await server.PostAsync(Chats, """{"messages": [{"role": "user", "content": "a"}]}""");
        Assert.Equal((HttpStatusCode.BadRequest, "chat_not_supported"), (status, (string?)body["error"]!["code"]));
        await server.DoneAsync(Completions, """{"prompt": "a"}""");
    }

    [Fact]
    public async Task A_model_that_is_not_recurrent_keeps_no_sessions()
    {
        await using TestServer server = await TestServer.StartAsync(isRecurrent: false);
        var (status, body) = await server.PostAsync(Completions, """{"prompt": "a", "session_id": "s"}""");
        Assert.Equal((HttpStatusCode.BadRequest, "session_id"), (status, (string?)body["error"]!["param"]));
        await server.DoneAsync(Completions, """{"prompt": "a"}""");
    }

    private async Task<string> MessageAsync(HttpStatusCode expected, string path, string json)
    {
        var (status, body) = await _server.PostAsync(path, json);
        Assert.Equal(expected, status);
        return (string)body["error"]!["message"]!;
    }
}
