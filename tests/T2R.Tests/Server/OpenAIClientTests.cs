using System.ClientModel;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;
using T2R.Server;
using Xunit;

namespace T2R.Tests.Server;

/// <summary>OpenAI's own client for .NET, as it comes.</summary>
public sealed class OpenAIClientTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private OpenAIClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync(new ServerOptions { ApiKey = "sk-test" });
        _client = Client("sk-test");
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_chat_as_one_and_streamed_say_the_same()
    {
        ChatClient chat = _client.GetChatClient("tiny");
        ChatMessage[] messages = [new SystemChatMessage("in"), new UserChatMessage("the ab")];
#pragma warning disable OPENAI001 // The seed is marked as one that may change.
        var options = new ChatCompletionOptions { MaxOutputTokenCount = 20, Temperature = 0.7f, Seed = 5, IncludeLogProbabilities = true, TopLogProbabilityCount = 2 };
#pragma warning restore OPENAI001
        options.LogitBiases[2] = -100;
        ChatCompletion whole = await chat.CompleteChatAsync(messages, options, TestContext.Current.CancellationToken);
        Assert.Equal(ChatFinishReason.Length, whole.FinishReason);
        Assert.Equal(20, whole.Usage.OutputTokenCount);
        Assert.Equal(20, whole.ContentTokenLogProbabilities.Count);
        Assert.Equal("tiny", whole.Model);

        string text = "";
        ChatFinishReason? end = null;
        ChatTokenUsage? usage = null;
        await foreach (StreamingChatCompletionUpdate update in chat.CompleteChatStreamingAsync(messages, options, TestContext.Current.CancellationToken))
        {
            text += string.Concat(update.ContentUpdate.Select(c => c.Text));
            end ??= update.FinishReason;
            usage ??= update.Usage;
        }

        Assert.Equal(whole.Content[0].Text, text);
        Assert.Equal(ChatFinishReason.Length, end);
        Assert.Equal(whole.Usage.TotalTokenCount, usage!.TotalTokenCount);
    }

    [Fact]
    public async Task The_models_are_listed()
    {
        OpenAIModelClient models = _client.GetOpenAIModelClient();
        Assert.Equal("tiny", Assert.Single((await models.GetModelsAsync(TestContext.Current.CancellationToken)).Value).Id);
        Assert.Equal("t2r", (await models.GetModelAsync("tiny", TestContext.Current.CancellationToken)).Value.OwnedBy);
    }

    [Fact]
    public async Task Errors_are_its_errors()
    {
        Assert.Equal(401, (await Fails(Client("sk-wrong").GetChatClient("tiny"))).Status);
        Assert.Equal(404, (await Fails(_client.GetChatClient("gpt-4"))).Status);
        Assert.Contains("temperature", (await Fails(_client.GetChatClient("tiny"), new ChatCompletionOptions { Temperature = -1 })).Message);

        static Task<ClientResultException> Fails(ChatClient chat, ChatCompletionOptions? options = null) =>
            Assert.ThrowsAsync<ClientResultException>(() => chat.CompleteChatAsync([new UserChatMessage("a")], options, TestContext.Current.CancellationToken));
    }

    private OpenAIClient Client(string key) => new(new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new Uri(_server.Server.Address, "/v1") });
}
