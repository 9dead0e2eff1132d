using System.Text.Json.Nodes;
using T2R.Generation;
using T2R.Generation.Decoding;
using T2R.Server;
using T2R.Server.Chat;
using T2R.Server.Prompts;
using T2R.Server.Sessions;
using Xunit;

namespace T2R.Tests.Server;

public sealed class SessionTests : IAsyncLifetime
{
    private const string Completions = "/v1/completions", Chats = "/v1/chat/completions";
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync(new ServerOptions { MaxSessions = 2 });

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Going_on_reads_what_is_new_alone_and_gives_what_one_long_prompt_gives()
    {
        // In ids, as a text may be cut otherwise than it was generated.
        int[] begin = [1, .. _server.Tokenizer.EncodeToIds("in the")], more = [.. _server.Tokenizer.EncodeToIds("a bc")];
        var (_, generated, cached) = await IdsAsync(begin, "s");
        Assert.Equal(0, cached);
        int[] whole = [.. begin, .. generated, .. more];
        double read = await _server.MetricAsync("t2r_prompt_tokens_total");
        var (text, _, reused) = await IdsAsync(whole, "s");
        Assert.Equal(begin.Length + generated.Length, reused);

        // What was generated last had not been read yet.
        Assert.Equal(1 + more.Length, await _server.MetricAsync("t2r_prompt_tokens_total") - read);
        Assert.Equal(reused, await _server.MetricAsync("t2r_session_tokens_reused_total"));
        var (alone, _, _) = await IdsAsync(whole, null);
        Assert.Equal(alone, text);
        Assert.NotEqual(text, (await IdsAsync(more, null)).Text);
    }

    [Fact]
    public async Task A_text_that_begins_with_what_was_read_and_generated_goes_on_from_there()
    {
        JsonNode first = await TextAsync("the", "s");
        string text = "the" + (string)first["choices"]![0]!["text"]!;
        JsonNode second = await TextAsync(text + " a bc", "s");
        int total = (int)first["usage"]!["total_tokens"]!;
        Assert.Equal(total, Cached(second));
        Assert.True((int)second["usage"]!["prompt_tokens"]! > total);
        Assert.Equal(total, Cached(await TextAsync(text, "t")) + total);
    }

    [Fact]
    public async Task Another_text_is_read_from_its_beginning()
    {
        await TextAsync("the", "s");
        JsonNode other = await TextAsync("bc", "s"), alone = await TextAsync("bc", null);
        Assert.Equal(0, Cached(other));
        Assert.Equal(alone["choices"]!.ToJsonString(), other["choices"]!.ToJsonString());
    }

    [Fact]
    public async Task Chats_go_on_from_the_conversation_before()
    {
        string[] conversation = [Message("user", "the ab")];
        for (int turn = 0, read = 0; turn < 3; turn++)
        {
            JsonNode body = await _server.DoneAsync(
                Chats, $$"""{"messages": [{{string.Join(", ", conversation)}}], "session_id": "c", "max_tokens": 12, "temperature": 0, "logit_bias": { {{NoBytes}} } }""");
            Assert.Equal(read, Cached(body));
            string answer = (string)body["choices"]![0]!["message"]!["content"]!;
            conversation = [.. conversation, Message("assistant", answer), Message("user", "in a")];
            read = (int)body["usage"]!["total_tokens"]!;
        }

        static string Message(string role, string content) => $$"""{"role": "{{role}}", "content": {{JsonValue.Create(content).ToJsonString()}}}""";
    }

    [Fact]
    public async Task What_a_stop_string_hides_was_generated_all_the_same()
    {
        string text = (string)(await TextAsync("the", null))["choices"]![0]!["text"]!, stop = text[3..5];
        JsonNode first = await TextAsync("the", "s", stop);
        string said = (string)first["choices"]![0]!["text"]!;
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], said);
        Assert.Equal(0, Cached(await TextAsync("the" + said + " a", "t")));
        Assert.Equal((int)first["usage"]!["total_tokens"]!, Cached(await TextAsync("the" + said + stop + text[(said.Length + stop.Length)..] + " a", "s")));
    }

    [Fact]
    public async Task The_end_of_an_answer_is_part_of_the_conversation()
    {
        await using TestServer server = await TestServer.StartAsync(template: ChatTemplates.Named("mistral"));
        int a = server.Tokenizer.EncodeToIds("a")[0];
        string how = $$""" "session_id": "c", "seed": 1, "logit_bias": {"{{a}}": 30, "2": 29} """;
        JsonNode first = await server.DoneAsync(Chats, $$"""{"messages": [{"role": "user", "content": "the"}], {{how}}}""");
        JsonNode choice = first["choices"]![0]!;
        Assert.Equal("stop", (string?)choice["finish_reason"]);
        string answer = (string)choice["message"]!["content"]!;
        JsonNode second = await server.DoneAsync(
            Chats, $$"""{"messages": [{"role": "user", "content": "the"}, {"role": "assistant", "content": "{{answer}}"}, {"role": "user", "content": "in"}], {{how}}}""");
        Assert.Equal((int)first["usage"]!["total_tokens"]! + 1, Cached(second));
    }

    [Fact]
    public async Task The_session_used_least_recently_goes_first()
    {
        foreach (string id in new[] { "a", "b", "a", "c" })
        {
            await TextAsync("the", id);
        }

        Assert.Equal(2, await _server.MetricAsync("t2r_sessions"));
        Assert.True(await CachedAsync("a") > 0);
        Assert.True(await CachedAsync("c") > 0);
        Assert.Equal(0, await CachedAsync("b"));

        async Task<int> CachedAsync(string id)
        {
            JsonNode first = await TextAsync("the", null);
            return Cached(await TextAsync("the" + (string)first["choices"]![0]!["text"]! + "a", id));
        }
    }

    [Fact]
    public void A_store_keeps_the_last_of_an_id_and_forgets_the_least_recently_used()
    {
        var store = new SessionStore(2);
        Session[] sessions = [.. Enumerable.Range(0, 4).Select(i => new Session(new Prompt([]), new SequenceState("f", new SlotState(i, [], []), [], 0, [])))];
        store.Keep("a", sessions[0]);
        store.Keep("b", sessions[1]);
        store.Keep("a", sessions[2]);
        Assert.Same(sessions[2], store.Find("a"));
        store.Keep("c", sessions[3]);
        Assert.Null(store.Find("b"));
        Assert.Same(sessions[2], store.Find("a"));
        Assert.Equal(2, store.Count);
    }

    // Greedy: what is generated follows from the prompt alone.
    private Task<JsonNode> TextAsync(string prompt, string? session, string? stop = null) => _server.DoneAsync(
        Completions, $$"""{"prompt": {{JsonValue.Create(prompt).ToJsonString()}}, {{Session(session)}} "stop": {{JsonValue.Create(stop)?.ToJsonString() ?? "null"}}, "max_tokens": 10, "temperature": 0, "logit_bias": { {{NoBytes}} } }""");

    private async Task<(string Text, int[] Ids, int Cached)> IdsAsync(int[] prompt, string? session)
    {
        JsonNode body = await _server.DoneAsync(
            Completions, $$"""{"prompt": [{{string.Join(", ", prompt)}}], {{Session(session)}} "max_tokens": 10, "seed": 4, "logprobs": 0, "logit_bias": { {{NoBytes}} } }""");
        JsonNode choice = body["choices"]![0]!;
        int[] ids = [.. choice["logprobs"]!["tokens"]!.AsArray().Select(t => Enumerable.Range(0, _server.Tokenizer.VocabularySize).Single(id => _server.Tokenizer[id].Name == ((string)t!).Replace(' ', '▁')))];
        return ((string)choice["text"]!, ids, (int?)body["usage"]!["prompt_tokens_details"]?["cached_tokens"] ?? 0);
    }

    // Bytes that are no characters would not come back as they went, and the end would come too soon.
    private static string NoBytes => string.Join(", ", Enumerable.Range(0, 259).Select(id => $"\"{id}\": -100"));

    private static int Cached(JsonNode body) => (int)body["usage"]!["prompt_tokens_details"]!["cached_tokens"]!;

    private static string Session(string? id) => id is null ? "" : $"\"session_id\": \"{id}\", ";
}
