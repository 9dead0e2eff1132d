using System.Text.Json.Nodes;
using Xunit;

namespace T2R.Tests.Server;

public sealed class CompletionTests : IAsyncLifetime
{
    private const string Path = "/v1/completions";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task An_answer_has_the_fields_of_the_interface()
    {
        JsonNode body = await _server.DoneAsync(Path, $$"""{"model": "tiny", "prompt": "in the", "max_tokens": 12, "seed": 3, {{TestServer.Endless}}}""");
        Assert.StartsWith("cmpl-", (string?)body["id"]);
        Assert.Equal("text_completion", (string?)body["object"]);
        Assert.Equal("tiny", (string?)body["model"]);
        Assert.True((long)body["created"]! > 1_700_000_000);
        JsonNode choice = Assert.Single(body["choices"]!.AsArray())!;
        Assert.Equal(0, (int)choice["index"]!);
        Assert.Equal("length", (string?)choice["finish_reason"]);
        Assert.NotEmpty((string)choice["text"]!);
        Assert.Null(choice["logprobs"]);
        int prompt = 1 + _server.Tokenizer.EncodeToIds("in the").Count;
        Assert.Equal($$"""{"prompt_tokens":{{prompt}},"completion_tokens":12,"total_tokens":{{prompt + 12}}}""", body["usage"]!.ToJsonString());
    }

    [Fact]
    public async Task Nothing_is_put_before_a_prompt_where_the_tokenizer_puts_nothing()
    {
        await using TestServer bare = await TestServer.StartAsync(beginsPrompts: false);
        Assert.Equal(bare.Tokenizer.EncodeToIds("in the").Count, await Tokens("\"prompt\": \"in the\","));
        Assert.Equal(1, await Tokens("\"prompt\": \"\","));
        Assert.Equal(1, await Tokens(""));

        async Task<int> Tokens(string prompt) => (int)(await bare.DoneAsync(Path, $$"""{{{prompt}} "max_tokens": 2}"""))["usage"]!["prompt_tokens"]!;
    }

    [Fact]
    public async Task A_seed_decides_the_text_and_no_seed_leaves_it_to_chance()
    {
        string first = await Text("\"seed\": 3"), again = await Text("\"seed\": 3"), other = await Text("\"seed\": 4");
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
        Assert.NotEqual(await Text("\"user\": \"a\""), await Text("\"user\": \"a\""));

        async Task<string> Text(string field) =>
            (string)(await _server.DoneAsync(Path, $$"""{"prompt": "the", "max_tokens": 40, {{field}}, {{TestServer.Endless}}}"""))["choices"]![0]!["text"]!;
    }

    [Fact]
    public async Task A_stream_adds_up_to_the_answer_that_comes_as_one()
    {
        string request = $$""" "prompt": "the", "max_tokens": 60, "seed": 11, {{TestServer.Endless}} """;
        JsonNode whole = await _server.DoneAsync(Path, $"{{{request}}}");
        List<JsonNode> parts = await _server.StreamAsync(Path, $$"""{{{request}}, "stream": true, "stream_options": {"include_usage": true} }""");
        Assert.Single(parts.Select(p => (string)p["id"]!).Distinct());
        Assert.All(parts[..^1], p => Assert.Null(p["usage"]));
        Assert.Empty(parts[^1]["choices"]!.AsArray());
        Assert.Equal(whole["usage"]!.ToJsonString(), parts[^1]["usage"]!.ToJsonString());
        Assert.Equal((string?)whole["choices"]![0]!["text"], string.Concat(parts[..^1].Select(p => (string)p["choices"]![0]!["text"]!)));
        Assert.Equal("length", (string?)parts[^2]["choices"]![0]!["finish_reason"]);
        Assert.All(parts[..^2], p => Assert.Null(p["choices"]![0]!["finish_reason"]));
        Assert.DoesNotContain(await _server.StreamAsync(Path, $$"""{{{request}}, "stream": true}"""), p => p["usage"] is not null);
    }

    [Fact]
    public async Task Several_prompts_and_several_choices_come_by_index_and_each_as_if_it_were_alone()
    {
        string request = $$""" "max_tokens": 20, "seed": 5, {{TestServer.Endless}} """;
        JsonNode body = await _server.DoneAsync(Path, $$"""{"prompt": ["in", "the"], "n": 2, {{request}}}""");
        string[] texts = [.. body["choices"]!.AsArray().Select(c => (string)c!["text"]!)];
        Assert.Equal([0, 1, 2, 3], body["choices"]!.AsArray().Select(c => (int)c!["index"]!));
        Assert.Equal(4, texts.Distinct().Count());
        Assert.Equal(texts[0], await Alone("\"in\"", 5));
        Assert.Equal(texts[1], await Alone("\"in\"", 6));
        Assert.Equal(texts[3], await Alone("\"the\"", 6));
        Assert.Equal(80, (int)body["usage"]!["completion_tokens"]!);
        Assert.Equal(2 + _server.Tokenizer.EncodeToIds("in").Count + _server.Tokenizer.EncodeToIds("the").Count, (int)body["usage"]!["prompt_tokens"]!);

        List<JsonNode> parts = await _server.StreamAsync(Path, $$"""{"prompt": ["in", "the"], "n": 2, {{request}}, "stream": true}""");
        for (int i = 0; i < texts.Length; i++)
        {
            Assert.Equal(texts[i], string.Concat(parts.Select(p => p["choices"]![0]!).Where(c => (int)c["index"]! == i).Select(c => (string)c["text"]!)));
        }

        body = await _server.DoneAsync(Path, $$"""{"prompt": ["in", "in"], "max_tokens": 20, {{TestServer.Endless}}}""");
        Assert.Equal(2, body["choices"]!.AsArray().Select(c => (string)c!["text"]!).Distinct().Count());

        async Task<string> Alone(string prompt, int seed) => (string)(await _server.DoneAsync(
            Path, $$"""{"prompt": {{prompt}}, "max_tokens": 20, "seed": {{seed}}, {{TestServer.Endless}}}"""))["choices"]![0]!["text"]!;
    }

    [Fact]
    public async Task Ids_are_read_as_they_are_and_a_text_behind_the_id_that_begins_one()
    {
        string text = await Text("\"in the\"");
        string ids = string.Join(", ", _server.Tokenizer.EncodeToIds("in the"));
        Assert.Equal(text, await Text($"[1, {ids}]"));
        Assert.Equal(text, await Text($"[[1, {ids}]]"));
        Assert.NotEqual(text, await Text($"[{ids}]"));
        Assert.Equal(await Text("null"), await Text("\"\""));

        async Task<string> Text(string prompt) =>
            (string)(await _server.DoneAsync(Path, $$"""{"prompt": {{prompt}}, "max_tokens": 30, "temperature": 0, {{TestServer.Endless}}}"""))["choices"]![0]!["text"]!;
    }

    [Fact]
    public async Task A_stop_string_ends_the_text_before_itself()
    {
        string request = $$""" "prompt": "the", "max_tokens": 60, "seed": 2, {{TestServer.Endless}} """;
        string text = (string)(await _server.DoneAsync(Path, $"{{{request}}}"))["choices"]![0]!["text"]!;
        string stop = text.Substring(text.Length / 2, 3);
        JsonNode choice = (await _server.DoneAsync(Path, $$"""{{{request}}, "stop": ["no such text", {{JsonValue.Create(stop).ToJsonString()}}]}"""))["choices"]![0]!;
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], (string?)choice["text"]);
        Assert.Equal("stop", (string?)choice["finish_reason"]);
        List<JsonNode> parts = await _server.StreamAsync(Path, $$"""{{{request}}, "stop": {{JsonValue.Create(stop).ToJsonString()}}, "stream": true}""");
        Assert.Equal((string?)choice["text"], string.Concat(parts.Select(p => (string)p["choices"]![0]!["text"]!)));
    }

    [Fact]
    public async Task Each_way_to_choose_reaches_the_sampler()
    {
        string greedy = await Text("\"temperature\": 0");
        Assert.Equal(greedy, await Text("\"top_k\": 1"));
        Assert.Equal(greedy, await Text("\"top_p\": 0.000001"));
        Assert.Equal(greedy, await Text("\"min_p\": 1"));
        Assert.NotEqual(greedy, await Text("\"temperature\": 1.5"));
        Assert.NotEqual(greedy, await Text("\"temperature\": 0, \"repetition_penalty\": 10"));
        string biased = (string)(await _server.DoneAsync(
            Path, $$"""{"prompt": "the", "max_tokens": 5, "temperature": 0, "logit_bias": {"{{_server.Tokenizer.EncodeToIds("xxx")[^1]}}": 100} }"""))["choices"]![0]!["text"]!;
        Assert.Equal("xxxxxxxxxxxxxxx", biased);

        async Task<string> Text(string how) =>
            (string)(await _server.DoneAsync(Path, $$"""{"prompt": "the", "max_tokens": 40, "seed": 9, {{how}}, {{TestServer.Endless}}}"""))["choices"]![0]!["text"]!;
    }

    [Fact]
    public async Task Fields_that_are_null_or_not_known_change_nothing()
    {
        string request = $$""" "prompt": "the", "max_tokens": 10, "seed": 9, {{TestServer.Endless}} """;
        Assert.Equal(
            (await _server.DoneAsync(Path, $"{{{request}}}"))["choices"]!.ToJsonString(),
            (await _server.DoneAsync(Path, $$"""{{{request}}, "temperature": null, "stop": null, "stream": null, "suffix": null, "frobnicate": {"a": [1]}, "presence_penalty": 0}"""))["choices"]!.ToJsonString());
    }

    [Fact]
    public async Task No_new_tokens_are_an_empty_text() =>
        Assert.Equal("", (string?)(await _server.DoneAsync(Path, """{"prompt": "the", "max_tokens": 0}"""))["choices"]![0]!["text"]);

    [Fact]
    public async Task Requests_beside_each_other_get_what_they_get_alone()
    {
        string[] requests = [.. Enumerable.Range(0, 12).Select(i => $$"""{"prompt": "{{new string('a', i)}}", "max_tokens": 30, "seed": {{i}}, {{TestServer.Endless}}}""")];
        var alone = new List<string>();
        foreach (string request in requests)
        {
            alone.Add((await _server.DoneAsync(Path, request))["choices"]!.ToJsonString());
        }

        JsonNode[] together = await Task.WhenAll(requests.Select(r => _server.DoneAsync(Path, r)));
        Assert.Equal(alone, together.Select(t => t["choices"]!.ToJsonString()));
    }
}
