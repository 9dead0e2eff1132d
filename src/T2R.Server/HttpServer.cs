using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using T2R.Server.Api;
using T2R.Server.Metrics;
using T2R.Server.Security;
using T2R.Server.Sessions;

namespace T2R.Server;

/// <summary>Serves a model over HTTP as OpenAI's interface has it (https://platform.openai.com/docs/api-reference), with a page to try it on.</summary>
public sealed class HttpServer : IAsyncDisposable
{
    // What answers need to end once nothing is generated for them any more.
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    private readonly WebApplication _app;
    private readonly ServedModel _model;

    private HttpServer(ServedModel model, ServerOptions options, ILoggerFactory logs)
    {
        _model = model;
        _app = Build(options, logs);
        Map(options, logs);
    }

    /// <summary>Where it listens.</summary>
    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single());

    /// <summary>Starts to listen.</summary>
    /// <param name="model">What is served; the server takes its engine over, and disposes it if it cannot listen.</param>
    /// <param name="options">Where it listens and what it takes on.</param>
    /// <param name="logs">Receive a line a request, without what clients say.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="UserErrorException">An option is out of range; all such at once.</exception>
    /// <exception cref="IOException">It cannot listen there: the port is taken, or the address is not this machine's.</exception>
    public static async Task<HttpServer> StartAsync(ServedModel model, ServerOptions options, ILoggerFactory logs, CancellationToken cancellation = default)
    {
        var problems = new Problems();
        options.Validate(problems);
        problems.ThrowIfAny();
        var server = new HttpServer(model, options, logs);
        try
        {
            await server._app.StartAsync(cancellation);
            return server;
        }
        catch (Exception e)
        {
            await server.DisposeAsync();
            if (e is SocketException)
            {
                throw new IOException($"cannot listen at {options.Host}, port {options.Port}: {e.Message}", e);
            }

            throw;
        }
    }

    /// <summary>Takes no more requests, lets those it has end, and then cancels the rest.</summary>
    /// <param name="drain">How long they may take to end.</param>
    public async Task StopAsync(TimeSpan drain)
    {
        using CancellationTokenSource deadline = new(drain), end = new(drain + Farewell);
        await Task.WhenAll(_model.Engine.DrainAsync(deadline.Token), _app.StopAsync(end.Token));
    }

    /// <summary>Stops at once.</summary>
    public async ValueTask DisposeAsync()
    {
        await _model.Engine.DisposeAsync();
        await _app.DisposeAsync();
    }

    // Nothing but the options decides: no settings are read from the environment or the folder where one stands.
    private static WebApplication Build(ServerOptions options, ILoggerFactory logs)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "t2r" });
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(logs);
        builder.Services.AddSingleton<IHostLifetime, HostedLifetime>();
        builder.Services.Configure<HostOptions>(h => h.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
            kestrel.Limits.MaxConcurrentConnections = ServerOptions.MaxConnections;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            kestrel.Listen(options.Host, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        return builder.Build();
    }

    private void Map(ServerOptions options, ILoggerFactory logs)
    {
        var sessions = new SessionStore(options.MaxSessions);
        var metrics = new ServerMetrics(_model.Engine, sessions);
        var names = new TokenNames(_model.Tokenizer);
        var completions = new GenerationEndpoint(_model, options, sessions, metrics, CompletionRequest.Read, head => new CompletionAnswer(head, names), "cmpl-");
        var chats = new GenerationEndpoint(_model, options, sessions, metrics, ChatRequest.Read, head => new ChatAnswer(head, names, _model.PutsSpaceBefore), "chatcmpl-");

        _app.Use(new AnswerLog(options, metrics, logs.CreateLogger<HttpServer>()).PassAsync);
        _app.UseRouting();
        if (options.ApiKey is { } key)
        {
            _app.Use(new KeyGate(key).PassAsync);
        }
        else if (IPAddress.IsLoopback(options.Host))
        {
            _app.Use(LoopbackGate.PassAsync);
        }

        _app.MapPost("/v1/completions", completions.AnswerAsync);
        _app.MapPost("/v1/chat/completions", chats.AnswerAsync);
        _app.MapGet("/v1/models", context => WriteAsync(context, new ModelList("list", [_model.Entry])));
        _app.MapGet("/v1/models/{name}", context =>
        {
            _model.CheckName(context.Request.RouteValues["name"] as string);
            return WriteAsync(context, _model.Entry);
        });
        _app.MapGet("/metrics", context =>
        {
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            return metrics.WriteAsync(context.Response.Body, context.RequestAborted);
        });
        _app.MapGet("/health", AnswerHealthAsync).WithMetadata(new AllowAnonymousAttribute());
        foreach (var (path, send) in StaticPage.Files)
        {
            _app.MapGet(path, send).WithMetadata(new AllowAnonymousAttribute());
        }
    }

    private Task AnswerHealthAsync(HttpContext context)
    {
        bool isOpen = _model.Engine.IsOpen;
        context.Response.StatusCode = isOpen ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        return WriteAsync(context, new HealthBody(isOpen ? "ok" : "closed"));
    }

    private static Task WriteAsync(HttpContext context, object value)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        return context.Response.Body.WriteAsync(ApiJson.Bytes(value), context.RequestAborted).AsTask();
    }

    /// <summary>Signals are the program's that holds the server.</summary>
    private sealed class HostedLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
