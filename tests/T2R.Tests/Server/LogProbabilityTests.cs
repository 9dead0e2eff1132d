using System.Text.Json.Nodes;
using Xunit;

namespace T2R.Tests.Server;

public sealed class LogProbabilityTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Measuring_a_text_gives_each_of_its_tokens_and_one_behind()
    {
        int[] ids = [1, .. _server.Tokenizer.EncodeToIds("in the")];
        JsonNode choice = (await Complete($$"""{"prompt": [{{string.Join(", ", ids)}}], "max_tokens": 1, "temperature": 0, "logprobs": 2, "echo": true}"""))[0]!;
        JsonNode log = choice["logprobs"]!;
        JsonArray tokens = log["tokens"]!.AsArray(), own = log["token_logprobs"]!.AsArray(), top = log["top_logprobs"]!.AsArray(), offsets = log["text_offset"]!.AsArray();
        Assert.All([tokens, own, top, offsets], a => Assert.Equal(ids.Length + 1, a.Count));
        Assert.Equal("<s>", (string?)tokens[0]);
        Assert.Null(own[0]);
        Assert.Null(top[0]);
        Assert.All(own.Skip(1), p => Assert.InRange((double)p!, -50, 0));
        for (int i = 1; i < tokens.Count; i++)
        {
            JsonObject likely = top[i]!.AsObject();
            Assert.InRange(likely.Count, 2, 3);
            Assert.Equal((double)own[i]!, (double)likely[(string)tokens[i]!]!);
            Assert.Equal((double)own[i]! < likely.Max(l => (double)l.Value!), likely.Count == 3 || (string)tokens[i]! != likely.MaxBy(l => (double)l.Value!).Key);
        }

        string text = (string)choice["text"]!;
        Assert.StartsWith("in the", text);
        Assert.Equal(offsets.Select(o => (int)o!).Order(), offsets.Select(o => (int)o!));
    }

    // Even a model that would end the text at once gives the token that whoever measures leaves out.
    [Fact]
    public async Task One_token_behind_a_measured_text_may_be_its_end()
    {
        JsonNode choice = (await Complete("""{"prompt": [1, 5, 6], "max_tokens": 1, "logprobs": 0, "echo": true, "logit_bias": {"2": 100}}"""))[0]!;
        Assert.Equal("</s>", (string?)choice["logprobs"]!["tokens"]!.AsArray()[^1]);
        Assert.Equal(4, choice["logprobs"]!["tokens"]!.AsArray().Count);
    }

    [Fact]
    public async Task The_probabilities_of_all_continuations_of_a_token_sum_to_one()
    {
        await using TestServer server = await TestServer.StartAsync(rowsWithoutPieces: 0);
        double sum = 0;
        foreach (int[] some in Enumerable.Range(0, server.Tokenizer.VocabularySize).Chunk(100))
        {
            string prompts = string.Join(", ", some.Select(id => $"[1, {id}]"));
            foreach (JsonNode? choice in (await server.DoneAsync("/v1/completions", $$"""{"prompt": [{{prompts}}], "max_tokens": 0, "logprobs": 0, "echo": true}"""))["choices"]!.AsArray())
            {
                sum += Math.Exp((double)choice!["logprobs"]!["token_logprobs"]![1]!);
            }
        }

        Assert.Equal(1, sum, 1e-5);
    }

    [Fact]
    public async Task A_streamed_token_comes_with_its_own()
    {
        string request = $$""" "prompt": "the", "max_tokens": 20, "seed": 4, "logprobs": 1, {{TestServer.Endless}} """;
        JsonNode whole = (await Complete($"{{{request}}}"))[0]!["logprobs"]!;
        List<JsonNode> parts = [.. (await _server.StreamAsync("/v1/completions", $$"""{{{request}}, "stream": true}""")).Select(p => p["choices"]![0]!["logprobs"]!).Where(l => l is not null)];
        foreach (string field in new[] { "tokens", "token_logprobs", "text_offset" })
        {
            Assert.Equal(whole[field]!.AsArray().Select(n => n!.ToJsonString()), parts.SelectMany(p => p[field]!.AsArray()).Select(n => n!.ToJsonString()));
        }
    }

    [Fact]
    public async Task A_chat_gives_tokens_with_their_bytes()
    {
        JsonNode body = await _server.DoneAsync(
            "/v1/chat/completions", $$"""{"messages": [{"role": "user", "content": "a"}], "max_tokens": 8, "logprobs": true, "top_logprobs": 3, "seed": 1, {{TestServer.Endless}}}""");
        JsonArray content = body["choices"]![0]!["logprobs"]!["content"]!.AsArray();
        Assert.Equal(8, content.Count);
        Assert.All(content, t =>
        {
            Assert.Equal(3, t!["top_logprobs"]!.AsArray().Count);
            Assert.True((double)t["logprob"]! <= (double)t["top_logprobs"]![0]!["logprob"]!);
            Assert.NotEmpty(t["bytes"]!.AsArray());
        });
    }

    private async Task<JsonArray> Complete(string json) => (await _server.DoneAsync("/v1/completions", json))["choices"]!.AsArray();
}
