using T2R.Server.Chat.Jinja;
using Xunit;

namespace T2R.Tests.Server.Jinja;

/// <summary>Chat templates as their models' authors published them, and what Jinja2 3.1.6 makes of a conversation with them, set up as transformers sets it up.</summary>
public sealed class PublishedTemplateTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "tests", "T2R.Tests", "Server", "Jinja", "Published");

    public static TheoryData<string> Names => [.. Directory.EnumerateFiles(Folder, "*.jinja").Select(f => Path.GetFileNameWithoutExtension(f)).Order()];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_published_template_writes_what_Jinja_writes(string name)
    {
        var messages = new List<object?> { Message("system", " Be brief.\n"), Message("user", "one"), Message("assistant", " two \n"), Message("user", "thrée {{ 1 }}") };
        if (name == "mistral-instruct-v0.1")
        {
            messages.RemoveAt(0); // it takes no system message
        }

        var values = new JinjaMap { ["messages"] = messages, ["tools"] = null, ["documents"] = null, ["add_generation_prompt"] = true, ["bos_token"] = "<s>", ["eos_token"] = "</s>" };
        string written = new JinjaTemplate(File.ReadAllText(Path.Combine(Folder, name + ".jinja"))).Render(values);
        Assert.Equal(File.ReadAllText(Path.Combine(Folder, name + ".txt")), written);
    }

    private static JinjaMap Message(string role, string content) => new() { ["role"] = role, ["content"] = content };
}
