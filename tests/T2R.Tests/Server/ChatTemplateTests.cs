using System.Text.Json;
using T2R.Server.Chat;
using T2R.Server.Prompts;
using T2R.Tests.Checkpoints;
using T2R.Tests.Tokenization;
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

    [Theory]
    [InlineData("{% for m in messages %}[INST] {{ m }} [/INST]{% endfor %}", "mistral")]
    [InlineData("<|im_start|>{{ role }}", "chatml")]
    [InlineData("<|start_header_id|>{{ role }}<|end_header_id|>", "llama-3")]
    [InlineData("[INST] <<SYS>>{{ system }}<</SYS>>", null)]
    [InlineData("<start_of_turn>{{ role }}", null)]
    public void The_template_of_a_folder_is_told_by_its_marks(string text, string? expected)
    {
        using var folder = new TemporaryFolder();
        Assert.Equal("plain", ChatTemplates.Of(folder.Path)?.Name);
        File.WriteAllText(folder["tokenizer_config.json"], "{}");
        Assert.Equal("plain", ChatTemplates.Of(folder.Path)?.Name);
        File.WriteAllText(folder["tokenizer_config.json"], JsonSerializer.Serialize(new { chat_template = text }));
        Assert.Equal(expected, ChatTemplates.Of(folder.Path)?.Name);
        File.WriteAllText(folder["tokenizer_config.json"], JsonSerializer.Serialize(new { chat_template = new[] { new { name = "tool", template = "?" }, new { name = "default", template = text } } }));
        Assert.Equal(expected, ChatTemplates.Of(folder.Path)?.Name);
        File.Delete(folder["tokenizer_config.json"]);
        File.WriteAllText(folder["chat_template.jinja"], text);
        Assert.Equal(expected, ChatTemplates.Of(folder.Path)?.Name);
    }

    [Fact]
    public void A_tokenizer_config_that_is_damaged_is_named()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer_config.json"], "{");
        Assert.Contains("tokenizer_config.json", Assert.Throws<UserErrorException>(() => ChatTemplates.Of(folder.Path)).Message);
        File.WriteAllText(folder["tokenizer_config.json"], """{"chat_template": 3}""");
        Assert.Contains("chat_template", Assert.Throws<UserErrorException>(() => ChatTemplates.Of(folder.Path)).Message);
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
        ChatTemplates.Check(ChatTemplates.Named(name), tokenizer, end, problems);
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
