using System.Net;
using System.Text.Json.Nodes;
using T2R.Server.Chat;
using T2R.Tests.Checkpoints;
using Xunit;

namespace T2R.Tests.Server;

public sealed class ChatTests : IAsyncLifetime
{
    private const string Path = "/v1/chat/completions";
    private const string Hello = """ "messages": [{"role": "system", "content": "in"}, {"role": "user", "content": "the ab"}] """;
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task An_answer_has_the_fields_of_the_interface()
    {
        JsonNode body = await _server.DoneAsync(Path, $$"""{"model": "tiny", {{Hello}}, "max_completion_tokens": 9, "seed": 3, {{TestServer.Endless}}}""");
        Assert.StartsWith("chatcmpl-", (string?)body["id"]);
        Assert.Equal("chat.completion", (string?)body["object"]);
        JsonNode choice = Assert.Single(body["choices"]!.AsArray())!;
        Assert.Equal("assistant", (string?)choice["message"]!["role"]);
        Assert.NotEmpty((string)choice["message"]!["content"]!);
        Assert.Equal("length", (string?)choice["finish_reason"]);
        Assert.Equal(9, (int)body["usage"]!["completion_tokens"]!);
    }

    [Fact]
    public async Task An_end_id_that_the_tokenizer_does_not_have_keeps_no_conversation_from_being_answered()
    {
        await using TestServer server = await TestServer.StartAsync(hasEnd: false);
        await server.DoneAsync(Path, $$"""{{{Hello}}, "max_tokens": 2}""");
    }

    [Fact]
    public async Task A_conversation_is_the_completion_of_what_the_template_writes()
    {
        JsonNode chat = await _server.DoneAsync(Path, $$"""{{{Hello}}, "max_tokens": 30, "temperature": 0, {{TestServer.Endless}}}""");
        string prompt = JsonValue.Create("in\n\nUser: the ab\nAssistant:").ToJsonString();
        JsonNode completion = await _server.DoneAsync("/v1/completions", $$"""{"prompt": {{prompt}}, "max_tokens": 30, "temperature": 0, "stop": "\nUser:", {{TestServer.Endless}}}""");
        Assert.Equal(completion["usage"]!.ToJsonString(), chat["usage"]!.ToJsonString());
        string text = (string)completion["choices"]![0]!["text"]!;
        Assert.Equal(text.StartsWith(' ') ? text[1..] : text, (string?)chat["choices"]![0]!["message"]!["content"]);
    }

    [Fact]
    public async Task The_template_of_the_models_folder_writes_the_prompt()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["chat_template.jinja"], "{{ bos_token }}{% for m in messages %}{{ m.role }} {{ m.content | trim }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}in{% endif %}");
        await using TestServer server = await TestServer.StartAsync(template: ChatTemplates.Of(folder.Path));
        string conversation = """ "messages": [{"role": "user", "content": " the </s> "}], "max_tokens": 20, "temperature": 0 """;
        JsonNode chat = await server.DoneAsync(Path, $$"""{{{conversation}}, {{TestServer.Endless}}}""");
        int[] prompt = [1, .. server.Tokenizer.EncodeToIds("user the </s>"), 2, .. server.Tokenizer.EncodeToIds("in")];
        JsonNode completion = await server.DoneAsync("/v1/completions", $$"""{"prompt": [{{string.Join(", ", prompt)}}], "max_tokens": 20, "temperature": 0, {{TestServer.Endless}}}""");
        Assert.Equal(completion["usage"]!.ToJsonString(), chat["usage"]!.ToJsonString());
        string text = (string)completion["choices"]![0]!["text"]!;
        Assert.Equal(text.StartsWith(' ') ? text[1..] : text, (string?)chat["choices"]![0]!["message"]!["content"]);
    }

    [Fact]
    public async Task What_the_folders_template_refuses_is_said()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["chat_template.jinja"], "{{ raise_exception('Users first') }}");
        await using TestServer server = await TestServer.StartAsync(template: ChatTemplates.Of(folder.Path));
        var (status, body) = await server.PostAsync(Path, $$"""{{{Hello}}}""");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("Users first", (string?)body["error"]!["message"]);
    }

    [Fact]
    public async Task A_stream_begins_with_the_role_and_adds_up_to_the_answer_that_comes_as_one()
    {
        string request = $$"""{{Hello}}, "n": 2, "max_tokens": 40, "seed": 8, {{TestServer.Endless}} """;
        JsonNode whole = await _server.DoneAsync(Path, $"{{{request}}}");
        List<JsonNode> parts = await _server.StreamAsync(Path, $$"""{{{request}}, "stream": true, "stream_options": {"include_usage": true} }""");
        Assert.All(parts, p => Assert.Equal("chat.completion.chunk", (string?)p["object"]));
        Assert.Equal(whole["usage"]!.ToJsonString(), parts[^1]["usage"]!.ToJsonString());
        foreach (JsonNode? choice in whole["choices"]!.AsArray())
        {
            JsonNode[] own = [.. parts[..^1].Select(p => p["choices"]![0]!).Where(c => (int)c["index"]! == (int)choice!["index"]!)];
            Assert.Equal("assistant", (string?)own[0]["delta"]!["role"]);
            Assert.All(own[1..], c => Assert.Null(c["delta"]!["role"]));
            Assert.Equal("{}", own[^1]["delta"]!.ToJsonString());
            Assert.Equal("length", (string?)own[^1]["finish_reason"]);
            Assert.Equal((string?)choice!["message"]!["content"], string.Concat(own.Select(c => (string?)c["delta"]!["content"])));
        }
    }

    [Fact]
    public async Task Content_may_come_in_parts_of_text()
    {
        string parts = """[{"role": "user", "content": [{"type": "text", "text": "in "}, {"type": "text", "text": "the"}]}]""", whole = """[{"role": "user", "content": "in the"}]""";
        Assert.Equal(await Text(whole), await Text(parts));

        async Task<string> Text(string messages) => (await _server.DoneAsync(Path, $$"""{"messages": {{messages}}, "max_tokens": 12, "seed": 1}"""))["choices"]!.ToJsonString();
    }

    [Fact]
    public async Task Roles_that_do_not_take_turns_are_refused_where_the_template_has_no_place_for_them()
    {
        await using TestServer mistral = await TestServer.StartAsync(template: ChatTemplates.Named("mistral"));
        var (status, body) = await mistral.PostAsync(Path, """{"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}""");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("messages", (string?)body["error"]!["param"]);
        Assert.Contains("take turns", (string?)body["error"]!["message"]);
    }
}
