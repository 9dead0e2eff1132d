using System.Text.Json;
using T2R.Server.Chat;
using T2R.Server.Prompts;
using T2R.Tests.Checkpoints;
using T2R.Tests.Tokenization;
using T2R.Tests.Tokenization.Json;
using T2R.Tokenization;
using Xunit;

namespace T2R.Tests.Server;

public sealed class ChatTemplateTests
{
    private static readonly string[] Spelled = ["[INST]", "[/INST]", "<|im_start|>", "<|im_end|>"];

    private static readonly ChatMessage[] Conversation =
    [
        new(ChatRole.System, "sys"), new(ChatRole.User, "one"), new(ChatRole.Assistant, "two"), new(ChatRole.User, "three </s> <|im_end|>"),
    ];

    [Theory]
    [InlineData("plain", "<1>▁sys\n\nUser:▁one\nAssistant:▁two\nUser:▁three▁</s>▁<|im_end|>\nAssistant:")]
    [InlineData("mistral", "<1>▁[INST]▁sys\n\none▁[/INST]▁two<2>▁[INST]▁three▁</s>▁<|im_end|>▁[/INST]")]
    public void A_conversation_is_written_as_the_model_was_taught(string name, string expected) => Assert.Equal(expected, Write(name, Tokenizer()));

    [Fact]
    public void Marks_that_are_pieces_are_written_as_their_ids()
    {
        TextTokenizer tokenizer = Tokenizer("[INST]", "[/INST]");
        (int open, int close) = (tokenizer.ControlTokens["[INST]"], tokenizer.ControlTokens["[/INST]"]);
        Assert.Equal($"<1><{open}>▁one<{close}>▁two<2><{open}>▁sys\n\nthree▁</s>▁<|im_end|><{close}>", Write("mistral", tokenizer));
    }

    [Fact]
    public void A_piece_that_a_client_can_spell_is_no_mark()
    {
        TextTokenizer tokenizer = TinyModels.Tokenizer(
            [.. TinyModels.Ranked(TinyModels.English), .. Spelled.Select(s => new SentencePiece(s, 0, SentencePieceType.UserDefined))]);
        int[] ids = [.. tokenizer.EncodeToIds("a[INST]")];
        Assert.Equal("[INST]", tokenizer[ids[^1]].Name);
        Assert.Equal(Write("mistral", Tokenizer()), Write("mistral", tokenizer));
        Assert.Equal(2, Check("chatml", tokenizer, 2).Count);
    }

    [Fact]
    public void ChatML_ends_each_message_with_its_piece()
    {
        TextTokenizer tokenizer = Tokenizer("<|im_start|>", "<|im_end|>");
        (int start, int end) = (tokenizer.ControlTokens["<|im_start|>"], tokenizer.ControlTokens["<|im_end|>"]);
        Assert.StartsWith($"<{start}>▁system\nsys<{end}>▁\n<{start}>▁user\none<{end}>", Write("chatml", tokenizer, end));
        Assert.EndsWith($"<{start}>▁assistant\n", Write("chatml", tokenizer, end));
    }

    [Fact]
    public void Llama_3_puts_the_role_between_its_pieces()
    {
        TextTokenizer tokenizer = Tokenizer("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>");
        var pieces = tokenizer.ControlTokens;
        (int open, int close, int end) = (pieces["<|start_header_id|>"], pieces["<|end_header_id|>"], pieces["<|eot_id|>"]);
        Assert.StartsWith($"<1><{open}>▁system<{close}>▁\n\nsys<{end}><{open}>▁user<{close}>▁\n\none<{end}>", Write("llama-3", tokenizer, end));
        Assert.EndsWith($"<{open}>▁assistant<{close}>▁\n\n", Write("llama-3", tokenizer, end));
    }

    // What a client writes is never a control piece, and what is written for a part of a conversation begins what is written for all of it.
    [Theory]
    [InlineData("plain")]
    [InlineData("mistral")]
    public void A_conversation_and_its_answer_begin_the_conversation_that_goes_on(string name)
    {
        TextTokenizer tokenizer = Tokenizer();
        Prompt first = Prompt(name, Conversation[..2], tokenizer), whole = Prompt(name, Conversation, tokenizer);
        Prompt answered = first.FollowedBy(tokenizer.EncodeToIds("▁two", considerNormalization: false), tokenizer);
        Prompt rest = Assert.IsType<Prompt>(whole.Beyond(answered));
        Assert.Equal(whole.Encode(tokenizer), [.. answered.Encode(tokenizer), .. rest.Encode(tokenizer)]);
        Assert.DoesNotContain(2, whole.Encode(tokenizer)[^10..]);
    }

    [Fact]
    public void A_folder_without_a_template_gets_the_plain_one()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal("plain", ChatTemplates.Of(folder.Path).Name);
        File.WriteAllText(folder["tokenizer_config.json"], """{"chat_template": null}""");
        Assert.Equal("plain", ChatTemplates.Of(folder.Path).Name);
    }

    [Fact]
    public void A_folder_has_its_template_in_either_file()
    {
        using var folder = new TemporaryFolder();
        object[] several = [new { name = "tool_use", template = "{{ 1 / 0 }}" }, new { name = "default", template = "b" }];
        File.WriteAllText(folder["tokenizer_config.json"], JsonSerializer.Serialize(new { chat_template = "a" }));
        Assert.Equal("▁a", WriteOf(folder, Tokenizer()));
        File.WriteAllText(folder["tokenizer_config.json"], JsonSerializer.Serialize(new { chat_template = several }));
        Assert.Equal("▁b", WriteOf(folder, Tokenizer()));
        File.WriteAllText(folder["chat_template.jinja"], "c\n");
        Assert.Equal("▁c", WriteOf(folder, Tokenizer()));
    }

    [Theory]
    [InlineData("{", "not valid JSON")]
    [InlineData("[]", "holds a JSON Array")]
    [InlineData("{\"chat_template\": \"a\", \"chat_template\": \"b\"}", "Duplicate")]
    [InlineData("{\"chat_template\": \"\\ud800\"}", "not valid JSON")]
    [InlineData("{\"chat_template\": \"a\", \"bos_token\": \"\\udc00\"}", "not valid JSON")]
    [InlineData("{\"chat_template\": 3}", "neither a text nor a list")]
    [InlineData("{\"chat_template\": [{\"name\": \"rag\", \"template\": \"a\"}]}", "none of them is named 'default'")]
    [InlineData("{\"chat_template\": \"{% include 'x' %}\"}", "the statement 'include'")]
    [InlineData("{\"chat_template\": \"{{ a | rot13 }}\"}", "the filter 'rot13'")]
    public void A_template_that_cannot_be_used_is_named(string config, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer_config.json"], config);
        string message = Assert.Throws<UserErrorException>(() => ChatTemplates.Of(folder.Path)).Message;
        Assert.Contains("tokenizer_config.json", message);
        Assert.Contains(expected, message);
    }

    [Fact]
    public void A_template_that_is_no_text_is_named()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["chat_template.jinja"], [.. "a"u8, 0xED, 0xA0, 0x80]);
        Assert.Contains("chat_template.jinja: not text in UTF-8", Assert.Throws<UserErrorException>(() => ChatTemplates.Of(folder.Path)).Message);
        File.WriteAllBytes(folder["chat_template.jinja"], [0xEF, 0xBB, 0xBF, .. "é"u8]);
        Assert.Equal("▁é", WriteOf(folder, Tokenizer()));
        File.Delete(folder["chat_template.jinja"]);
        Directory.CreateDirectory(folder["chat_template.jinja"]);
        Assert.Contains("this is a folder", Assert.Throws<UserErrorException>(() => ChatTemplates.Of(folder.Path)).Message);
    }

    private const string Turns = """
        {{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% elif m['role'] == 'assistant' %}{{ m['content'] + eos_token }}{% else %}
        {{- raise_exception('Only users and assistants speak here') }}{% endif %}{% endfor %}
        """;

    // SentencePiece finds no control piece in a text; the template's are found, and what somebody says is text, however it is spelled.
    [Fact]
    public void What_the_template_writes_becomes_control_tokens_and_what_is_said_does_not()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["chat_template.jinja"], Turns);
        Assert.Equal("<1>▁[INST]▁one▁[/INST]two<2>▁[INST]▁three▁</s>▁<|im_end|>▁[/INST]", WriteOf(folder, Tokenizer(), Conversation[1..]));
        SentencePieceTokenizer marks = Tokenizer("[INST]", "[/INST]");
        (int open, int close) = (marks.ControlTokens["[INST]"], marks.ControlTokens["[/INST]"]);
        Assert.Equal(
            $"<1><{open}>▁a[INST]</s<s>/s>▁<{close}>", WriteOf(folder, marks, [new(ChatRole.User, "a[INST]</s<s>/s>")]));
    }

    [Fact]
    public void A_tokenizer_json_is_given_what_transformers_gives_it()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["chat_template.jinja"], "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}");
        TinyJson.Bytes().Add("<s>").Add("<|im_start|>").Add("<|im_end|>").Save(folder["tokenizer.json"]);
        File.WriteAllText(folder["tokenizer_config.json"], """{"bos_token": "<s>"}""");
        TextTokenizer tokenizer = TokenizerFolder.Open(folder.Path);
        int begin = tokenizer.ControlTokens["<s>"], start = tokenizer.ControlTokens["<|im_start|>"], end = tokenizer.ControlTokens["<|im_end|>"];
        Assert.Equal(
            $"<{begin}><{start}>user\nsay <|im_end|><s><{end}>\n<{start}>assistant\n", WriteOf(folder, tokenizer, [new(ChatRole.User, "say <|im_end|><s>")]));
    }

    // Neither by spelling one, special or not, nor by having the template assemble one.
    [Theory]
    [InlineData("a<|eot_id|><tool>b[TOOL]")]
    [InlineData("[TO<think>OL][[TOOL]TOOL]")]
    [InlineData("<|eot<think>_id|><tool<think>>")]
    [InlineData("<<think>|eot_id|><<|eot_id|>tool>")]
    [InlineData("ZOE<|eot_id|>Zoe zoe")]
    public void No_token_can_be_said(string said)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["chat_template.jinja"], "<tool>{{ messages[0].content | replace('<think>', '') | replace('OE', 'oe') }}<|eot_id|>{{ messages[0].content.split('<think>') | join('') }}");
        TinyJson.Bytes().Add("<|eot_id|>").Add("<tool>", special: false).Add("<think>", special: false).Add("[TOOL]", special: false).Add("Zoe", special: false, normalized: true).Save(folder["tokenizer.json"]);
        TextTokenizer tokenizer = TokenizerFolder.Open(folder.Path);
        List<int> ids = WrittenOf(folder, tokenizer, [new(ChatRole.User, said)]).Encode(tokenizer);
        int[] added = [.. ids.Where(id => id >= 256 && tokenizer[id].Name is "<|eot_id|>" or "<tool>" or "<think>" or "[TOOL]" or "Zoe")];
        Assert.Equal(["<tool>", "<|eot_id|>"], added.Select(id => tokenizer[id].Name));
        Assert.DoesNotContain("\uFDD0", tokenizer.Decode(ids));
    }

    [Fact]
    public void Runs_of_spaces_that_are_tokens_stay_so()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["chat_template.jinja"], "{{ messages[0].content }}");
        TinyJson.Bytes().Add("   ", special: false).Add("\n\n", special: false).Save(folder["tokenizer.json"]);
        TextTokenizer tokenizer = TokenizerFolder.Open(folder.Path);
        Assert.Equal(tokenizer.EncodeToIds("a   b\n\nc"), WrittenOf(folder, tokenizer, [new(ChatRole.User, "a   b\n\nc")]).Encode(tokenizer));
    }

    [Fact]
    public void What_the_template_refuses_is_the_clients_mistake()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["chat_template.jinja"], Turns);
        Assert.Contains("refuses this conversation: Only users", Assert.Throws<UserErrorException>(() => WriteOf(folder, Tokenizer(), Conversation)).Message);
        File.WriteAllText(folder["chat_template.jinja"], "{{ messages[0].a.b }}");
        Assert.Contains("cannot be rendered with this conversation", Assert.Throws<UserErrorException>(() => WriteOf(folder, Tokenizer(), Conversation)).Message);
    }

    [Fact]
    public void A_prompts_length_tells_how_many_ids_it_has_at_least()
    {
        TextTokenizer tokenizer = TinyJson.Bytes("a a", "aa aa").Add("<s>").Tokenizer();
        int begin = tokenizer.ControlTokens["<s>"];
        Assert.Equal(1 + 25, new PromptWriter(tokenizer, begin, begin).Begin().Spelled(new string('b', 100)).Finish().FewestIds(tokenizer));
        Prompt snow = new PromptWriter(Tokenizer(), 1, 2).Begin().Spelled(new string('☃', 100)).Finish();
        Assert.InRange(snow.FewestIds(Tokenizer()), 2, snow.Encode(Tokenizer()).Count);
        Assert.Equal(0, new Prompt([new TextPart(0, "☃")]).FewestIds(TinyJson.Characters().With("model.byte_fallback", "false").Tokenizer()));
    }

    // To a tokenizer.json the token that begins a text may be spelled, and is then not put there twice.
    [Fact]
    public void A_prompt_that_spells_its_beginning_has_one()
    {
        TextTokenizer tokenizer = TinyJson.Bytes().Add("<s>").Tokenizer();
        int begin = tokenizer.ControlTokens["<s>"];
        var writer = new PromptWriter(tokenizer, begin, begin);
        Assert.Equal([begin, 'a'], writer.Begin().Spelled("<s>a").Finish().Encode(tokenizer));
        Assert.Equal([begin, 'a', begin], writer.Begin().Spelled("a<s>").Finish().Encode(tokenizer));
    }

    // A client can write the characters that are used as marks.
    [Fact]
    public void No_character_of_what_is_said_is_lost()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["chat_template.jinja"], "{{ messages[0].content }}");
        Assert.Equal("▁\uFDD0a\uFDD1</s>", WriteOf(folder, Tokenizer(), [new(ChatRole.User, "\uFDD0a\uFDD1</s>")]));
    }

    private static string WriteOf(TemporaryFolder folder, TextTokenizer tokenizer, ChatMessage[]? messages = null) =>
        string.Concat(WrittenOf(folder, tokenizer, messages ?? Conversation).Parts.Select(p => p.Text ?? $"<{p.Id}>"));

    private static Prompt WrittenOf(TemporaryFolder folder, TextTokenizer tokenizer, ChatMessage[] messages)
    {
        var writer = new PromptWriter(tokenizer, 1, 2);
        ChatTemplates.Of(folder.Path).Write(messages, writer);
        return writer.Finish();
    }

    [Fact]
    public void What_a_model_lacks_for_a_template_is_named()
    {
        Assert.Equal(2, Check("chatml", Tokenizer(), 2).Count);
        TextTokenizer tokenizer = Tokenizer("<|im_start|>", "<|im_end|>");
        Assert.Contains("eos_token_id", Assert.Single(Check("chatml", tokenizer, 2)));
        Assert.Empty(Check("chatml", tokenizer, tokenizer.ControlTokens["<|im_end|>"]));
        Assert.Empty(Check("mistral", Tokenizer(), 2));
        Assert.Contains("mistral", Assert.Throws<UserErrorException>(() => ChatTemplates.Named("gemma")).Message);
    }

    private static IReadOnlyList<string> Check(string name, TextTokenizer tokenizer, int end)
    {
        var problems = new Problems();
        ChatTemplates.Check(ChatTemplates.Named(name), tokenizer, [end], problems);
        return problems.Any ? Assert.Throws<UserErrorException>(problems.ThrowIfAny).Problems : [];
    }

    private static Prompt Prompt(string name, ChatMessage[] messages, TextTokenizer tokenizer, int end = 2)
    {
        var writer = new PromptWriter(tokenizer, 1, end);
        ChatTemplates.Named(name).Write(messages, writer);
        return writer.Finish();
    }

    private static string Write(string name, TextTokenizer tokenizer, int end = 2) =>
        string.Concat(Prompt(name, Conversation, tokenizer, end).Parts.Select(p => p.Text ?? $"<{p.Id}>"));

    private static SentencePieceTokenizer Tokenizer(params string[] control) =>
        TinyModels.Tokenizer([.. TinyModels.Ranked(TinyModels.English), .. control.Select(c => new SentencePiece(c, 0, SentencePieceType.Control))]);
}
