using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using T2R.Server;
using Xunit;

namespace T2R.Tests.Server;

public sealed class SecurityTests
{
    private static readonly ServerOptions WithKey = new() { ApiKey = "sk-secret" };

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer sk-secre")]
    [InlineData("Bearer sk-secret1")]
    [InlineData("Bearer ")]
    [InlineData("Basic sk-secret")]
    [InlineData("sk-secret")]
    public async Task Whoever_does_not_know_the_key_is_told_so_before_anything_is_read(string? authorization)
    {
        await using TestServer server = await TestServer.StartAsync(WithKey);
        foreach ((string method, string path) in new[] { ("POST", "/v1/completions"), ("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/metrics"), ("GET", "/nothing"), ("PUT", "/v1/models") })
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            if (authorization is not null)
            {
                request.Headers.TryAddWithoutValidation("Authorization", authorization);
            }

            using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Equal("Bearer", response.Headers.WwwAuthenticate.Single().Scheme);
            JsonNode error = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!["error"]!;
            Assert.Equal("invalid_api_key", (string?)error["code"]);
            Assert.DoesNotContain("sk-secret", error.ToJsonString());
        }
    }

    [Fact]
    public async Task Whoever_knows_the_key_is_served_and_the_page_and_the_health_are_for_all()
    {
        await using TestServer server = await TestServer.StartAsync(WithKey);
        foreach (string path in new[] { "/", "/page.css", "/page.js", "/health" })
        {
            await server.Client.GetStringAsync(path, TestContext.Current.CancellationToken);
        }

        server.Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("bearer", "sk-secret");
        await server.DoneAsync("/v1/completions", """{"prompt": "a"}""");
        await server.MetricAsync("t2r_slots");
    }

    // A page of another site whose name was made to mean this machine.
    [Theory]
    [InlineData("evil.example", false, HttpStatusCode.Forbidden)]
    [InlineData("evil.example", true, HttpStatusCode.OK)]
    [InlineData("localhost:1234", false, HttpStatusCode.OK)]
    [InlineData("127.0.0.1", false, HttpStatusCode.OK)]
    [InlineData("[::1]:80", false, HttpStatusCode.OK)]
    public async Task A_server_without_a_key_is_called_by_this_machines_names_alone(string host, bool hasKey, HttpStatusCode expected)
    {
        await using TestServer server = await TestServer.StartAsync(hasKey ? WithKey : null);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        request.Headers.Host = host;
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "sk-secret");
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(expected, response.StatusCode);
    }

    [Fact]
    public async Task The_page_runs_its_own_script_alone_and_no_other_site_may_read_answers()
    {
        await using TestServer server = await TestServer.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Add("Origin", "https://evil.example");
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Contains("default-src 'none'", response.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
        string page = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain("http", page.Replace("http-equiv", "", StringComparison.Ordinal));
        Assert.DoesNotContain("style=", page);
    }
}
