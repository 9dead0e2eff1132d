using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using T2R.Generation.Decoding;
using T2R.Generation.Serving;
using T2R.Models;
using T2R.Server;
using T2R.Server.Chat;
using T2R.Tests.Checkpoints;
using T2R.Tests.Generation.Serving;
using T2R.Tests.Models;
using T2R.Tests.Tokenization;
using T2R.Tokenization;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Server;

/// <summary>A server on this machine with a small random model, and a client of it.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    /// <summary>Keeps a text from ending by itself.</summary>
    public const string Endless = """ "logit_bias": {"2": -100} """;

    private readonly CausalLM? _weights;

    private TestServer(HttpServer server, ServedModel model, CausalLM? weights)
    {
        (Server, Model, _weights) = (server, model, weights);
        Client = new HttpClient { BaseAddress = server.Address };
    }

    public HttpServer Server { get; }

    public ServedModel Model { get; }

    public Engine Engine => Model.Engine;

    /// <summary>What the engine's decoder holds of one sequence.</summary>
    public long StateBytes
    {
        get
        {
            using IDecoder decoder = Decoders.Open(_weights!, slots: 1);
            return decoder.StateBytes(0);
        }
    }

    public TextTokenizer Tokenizer => Model.Tokenizer;

    public HttpClient Client { get; }

    public static async Task<TestServer> StartAsync(
        ServerOptions? options = null, EngineOptions? engine = null, int slots = 4, ChatTemplate? template = null, bool hasTemplate = true, bool isRecurrent = true, bool hasEnd = true, bool beginsPrompts = true, int rowsWithoutPieces = 5, ILoggerFactory? logs = null)
    {
        using var folder = new TemporaryFolder();
        var pieces = TinyModels.Of(TinyModels.Ranked(TinyModels.English));
        var shape = new TinyShape { HybridLayers = isRecurrent ? [] : [1], Vocabulary = pieces.Pieces.Count + rowsWithoutPieces, Layers = 2 };
        var tiny = new TinyModel(shape);
        if (!hasEnd)
        {
            // A row that the tokenizer has no piece for is never chosen.
            tiny.Config["eos_token_id"] = shape.Vocabulary - 1;
        }

        tiny.Save(folder["m"]);
        using ModelFolder opened = ModelFolder.Open(folder["m"]);
        var tokenizer = new SentencePieceTokenizer(pieces, beginsPrompts: beginsPrompts);
        string fingerprint = opened.Fingerprint();
        CausalLM weights = opened.Load(CPU, ScalarType.Float32);
        var running = new Engine(Decoders.Open(weights, slots), tokenizer, fingerprint, engine);
        var model = new ServedModel("tiny", fingerprint, running, tokenizer, opened.Boundaries(tokenizer), hasTemplate ? template ?? ChatTemplates.Named("plain") : null);
        return new TestServer(await ListenAsync(model, options, logs), model, weights);
    }

    /// <summary>A server whose model is a decoder that a test can make fail.</summary>
    public static async Task<TestServer> StartAsync(ToyDecoder decoder, ILoggerFactory? logs = null)
    {
        var model = new ServedModel("toy", new string('0', 64), new Engine(decoder, TinyTokens.Tokenizer), TinyTokens.Tokenizer, BoundaryIds.Of(decoder.Config, TinyTokens.Tokenizer, null), ChatTemplates.Named("plain"));
        return new TestServer(await ListenAsync(model, null, logs), model, null);
    }

    /// <summary>Sends JSON and reads the answer, which is JSON too.</summary>
    public async Task<(HttpStatusCode Status, JsonNode Body)> PostAsync(string path, string json)
    {
        using HttpResponseMessage response = await Client.PostAsync(path, Json(json), TestContext.Current.CancellationToken);
        return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!);
    }

    /// <summary>As the other; fails unless it went well.</summary>
    public async Task<JsonNode> DoneAsync(string path, string json)
    {
        var (status, body) = await PostAsync(path, json);
        Assert.True(status == HttpStatusCode.OK, body.ToJsonString());
        return body;
    }

    /// <summary>Sends JSON and reads the events of the answer; fails unless they end as they should.</summary>
    public async Task<List<JsonNode>> StreamAsync(string path, string json)
    {
        var events = new List<JsonNode>();
        using HttpResponseMessage response = await BeginAsync(path, json);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        string[] lines = (await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines, line => Assert.StartsWith("data: ", line));
        Assert.Equal("data: [DONE]", lines[^1]);
        return [.. lines[..^1].Select(line => JsonNode.Parse(line["data: ".Length..])!)];
    }

    /// <summary>Sends JSON and waits for the answer's head alone.</summary>
    public async Task<HttpResponseMessage> BeginAsync(string path, string json, CancellationToken? cancellation = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = Json(json) };
        HttpResponseMessage response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation ?? TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return response;
    }

    /// <summary>A value of <c>/metrics</c>; 0 if it is not there.</summary>
    public async Task<double> MetricAsync(string name)
    {
        string text = await Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        string? line = text.Split('\n').FirstOrDefault(l => l.StartsWith(name + " ", StringComparison.Ordinal));
        return line is null ? 0 : double.Parse(line[(name.Length + 1)..]);
    }

    /// <summary>Waits until something holds, which it is sure to soon; fails if it does not within a minute.</summary>
    public static async Task UntilAsync(Func<bool> holds)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(1));
        while (!holds())
        {
            await Task.Delay(5, limit.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
        _weights?.Dispose();
    }

    private static Task<HttpServer> ListenAsync(ServedModel model, ServerOptions? options, ILoggerFactory? logs) =>
        HttpServer.StartAsync(model, (options ?? new ServerOptions()) with { Port = 0 }, logs ?? NullLoggerFactory.Instance, TestContext.Current.CancellationToken);

    private static StringContent Json(string json) => new(json, Encoding.UTF8, "application/json");
}
