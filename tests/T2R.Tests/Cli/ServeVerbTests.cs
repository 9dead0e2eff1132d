using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using T2R.Tests.Checkpoints;
using T2R.Tests.Models;
using T2R.Tests.Tokenization;
using Xunit;

namespace T2R.Tests.Cli;

public sealed partial class ServeVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _model;

    public ServeVerbTests()
    {
        _model = _folder["m"];
        var tokenizer = TinyModels.Of(TinyModels.Ranked(TinyModels.English));
        new TinyModel(new TinyShape { HybridLayers = [], Vocabulary = tokenizer.Pieces.Count }).Save(_model);
        tokenizer.Save(Path.Combine(_model, "tokenizer.model"));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task It_serves_until_it_is_asked_to_stop_and_lets_what_runs_end()
    {
        File.WriteAllText(_folder["key"], "sk-test\n");
        using Process process = T2rProcess.Start(["serve", _model, "--port", "0", "--api-key-file", _folder["key"], "--log", _folder["log"], "--name", "small", "--drain", "60"]);
        try
        {
            using HttpClient client = await ClientAsync(process);
            Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/v1/models", TestContext.Current.CancellationToken)).StatusCode);
            client.DefaultRequestHeaders.Authorization = new("Bearer", "sk-test");
            Assert.Contains("\"small\"", await client.GetStringAsync("/v1/models", TestContext.Current.CancellationToken));
            using HttpResponseMessage running = await client.SendAsync(
                new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = Json("""{"prompt": "secret in", "max_tokens": 400, "stream": true, "logit_bias": {"2": -100}}""") },
                HttpCompletionOption.ResponseHeadersRead,
                TestContext.Current.CancellationToken);
            await Signal(process, "TERM");
            Assert.EndsWith("data: [DONE]\n\n", await running.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            process.Kill();
        }

        string[] log = File.ReadAllLines(_folder["log"]);
        Assert.All(log, line => Assert.NotNull(JsonNode.Parse(line)));
        Assert.Contains(log, line => line.Contains("\"NewTokens\":400", StringComparison.Ordinal));
        Assert.DoesNotContain(log, line => line.Contains("secret", StringComparison.Ordinal) || line.Contains("sk-test", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_second_signal_ends_it_at_once()
    {
        using Process process = T2rProcess.Start(["serve", _model, "--port", "0", "--max-new-tokens", "2000000000", "--drain", "600"]);
        try
        {
            using HttpClient client = await ClientAsync(process);
            using HttpResponseMessage running = await client.SendAsync(
                new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = Json("""{"max_tokens": 2000000000, "stream": true, "logit_bias": {"2": -100}}""") },
                HttpCompletionOption.ResponseHeadersRead,
                TestContext.Current.CancellationToken);
            await Signal(process, "INT");
            await LineAsync(process, "stopping");
            await Signal(process, "INT");
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.NotEqual(0, process.ExitCode);
        }
        finally
        {
            process.Kill();
        }
    }

    [Fact]
    public async Task Every_mistake_is_named_at_once()
    {
        var (code, output, error) = await T2rProcess.Run(
            ["serve", _folder["none"], "--host", "everywhere", "--port", "99999", "--api-key", "a", "--api-key-file", _folder["nokey"], "--slots", "0", "--max-queue", "-1", "--max-prompt-tokens", "0",
                "--max-new-tokens", "0", "--max-body", "0", "--sessions", "-1", "--drain", "-1", "--device", "tpu", "--dtype", "int3"]);
        Assert.Equal((2, ""), (code, output));
        Assert.All(
            ["none", "--host", "99999", "--api-key and --api-key-file", "nokey", "--slots", "queue", "prompt", "new tokens", "bytes of a body", "sessions", "--drain", "tpu", "int3"],
            word => Assert.Contains(word, error));
    }

    [Fact]
    public async Task A_template_that_is_not_known_is_the_users_mistake_if_it_is_given_and_a_warning_if_the_folder_has_it()
    {
        var (code, _, error) = await T2rProcess.Run(["serve", _model, "--chat-template", "gemma"]);
        Assert.Equal(2, code);
        Assert.Contains("expected one of plain, mistral", error);
        File.WriteAllText(Path.Combine(_model, "tokenizer_config.json"), """{"chat_template": "{% include 'x' %}"}""");
        using Process process = T2rProcess.Start(["serve", _model, "--port", "0", "--host", "0.0.0.0"]);
        try
        {
            string lines = await LineAsync(process, "serving");
            Assert.Contains("--chat-template", lines);
            Assert.Contains("has no key", lines);
        }
        finally
        {
            process.Kill();
        }
    }

    [Fact]
    public async Task A_port_that_is_taken_exits_with_1()
    {
        using Process process = T2rProcess.Start(["serve", _model, "--port", "0"]);
        try
        {
            using HttpClient client = await ClientAsync(process);
            var (code, _, error) = await T2rProcess.Run(["serve", _model, "--port", $"{client.BaseAddress!.Port}"]);
            Assert.Equal(1, code);
            Assert.Contains("already in use", error);
            Assert.DoesNotContain("   at ", error);
        }
        finally
        {
            process.Kill();
        }
    }

    [Fact]
    public async Task An_address_that_is_not_this_machines_exits_with_1_and_a_log_that_cannot_be_written_with_2()
    {
        var (code, _, error) = await T2rProcess.Run(["serve", _model, "--host", "203.0.113.1", "--api-key", "a"]);
        Assert.Equal(1, code);
        Assert.StartsWith("error: cannot listen at 203.0.113.1, port 8080", error);
        (code, _, error) = await T2rProcess.Run(["serve", _model, "--log", _folder["none/log"]]);
        Assert.Equal(2, code);
        Assert.StartsWith("error: --log: ", error);
    }

    private static async Task<HttpClient> ClientAsync(Process process) => new() { BaseAddress = new Uri(Address().Match(await LineAsync(process, "serving")).Value) };

    // What it says up to a line with a word.
    private static async Task<string> LineAsync(Process process, string word)
    {
        var lines = new StringBuilder();
        while (await process.StandardError.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            lines.AppendLine(line);
            if (line.Contains(word, StringComparison.Ordinal))
            {
                return lines.ToString();
            }
        }

        throw new InvalidOperationException($"it ended without saying '{word}':\n{lines}");
    }

    private static async Task Signal(Process process, string signal)
    {
        using Process kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]);
        await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    private static StringContent Json(string json) => new(json, Encoding.UTF8, "application/json");

    [GeneratedRegex(@"http://\S+?(?=,)")]
    private static partial Regex Address();
}
