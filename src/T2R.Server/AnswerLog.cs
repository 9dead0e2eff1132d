using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using T2R.Generation.Serving;
using T2R.Server.Api;
using T2R.Server.Metrics;

namespace T2R.Server;

/// <summary>Answers what was thrown, and notes each request: which endpoint, how it went, how long it took. What clients say is not noted.</summary>
/// <param name="options">What the server takes on.</param>
/// <param name="metrics">Counts.</param>
/// <param name="log">Receives a line a request.</param>
internal sealed partial class AnswerLog(ServerOptions options, ServerMetrics metrics, ILogger log)
{
    private const int ClientGone = 499; // nginx's number; HTTP has none, as nobody is there to read it

    public async Task PassAsync(HttpContext context, RequestDelegate next)
    {
        long began = Stopwatch.GetTimestamp();
        var record = new RequestRecord();
        context.Features.Set(record);
        int status;
        try
        {
            await next(context);
            await AnswerUnmatchedAsync(context);
            status = context.Response.StatusCode;
        }
        catch (Exception e)
        {
            status = await AnswerFailureAsync(context, e);
        }

        string endpoint = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "none";
        double milliseconds = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        metrics.Answered(endpoint, status);
        string method = context.Request.Method is "GET" or "POST" ? context.Request.Method : "OTHER";

        // Who only looks, as often as a scraper or the page does, is no news.
        LogLevel level = method == "GET" && status < StatusCodes.Status400BadRequest ? LogLevel.Debug : LogLevel.Information;
        Answered(log, level, method, endpoint, status, milliseconds, record.PromptTokens, record.NewTokens);
        if (record.LateFailure is { } late && IsFailure(late))
        {
            Failed(log, endpoint, late);
        }
    }

    private async Task<int> AnswerFailureAsync(HttpContext context, Exception e)
    {
        if (context.RequestAborted.IsCancellationRequested)
        {
            return ClientGone;
        }

        ApiException error = ErrorOf.Exception(e, options);
        if (error.Status >= StatusCodes.Status500InternalServerError && IsFailure(e))
        {
            Failed(log, context.GetEndpoint()?.DisplayName ?? "none", e);
        }

        if (context.Response.HasStarted)
        {
            context.Abort();
            return error.Status;
        }

        await WriteAsync(context, error);
        return error.Status;
    }

    // A refusal is none, and a server that is being stopped refuses what comes.
    private static bool IsFailure(Exception e) => e is not (ApiException or EngineStoppedException { InnerException: null });

    // Routing sets a status and no body.
    private static Task AnswerUnmatchedAsync(HttpContext context) => (context.Response.HasStarted, context.Response.StatusCode) switch
    {
        (false, StatusCodes.Status404NotFound) => WriteAsync(context, ApiException.WithStatus(StatusCodes.Status404NotFound, "There is nothing at this path.", "not_found")),
        (false, StatusCodes.Status405MethodNotAllowed) => WriteAsync(
            context, ApiException.WithStatus(StatusCodes.Status405MethodNotAllowed, $"This path takes no such method; it takes {context.Response.Headers.Allow}.", "method_not_allowed")),
        _ => Task.CompletedTask,
    };

    private static async Task WriteAsync(HttpContext context, ApiException error)
    {
        context.Response.StatusCode = error.Status;
        context.Response.ContentType = "application/json; charset=utf-8";
        if (error.Status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable)
        {
            context.Response.Headers.RetryAfter = "1";
        }

        await context.Response.Body.WriteAsync(ApiJson.Bytes(ErrorBody.Of(error)), context.RequestAborted);
    }

    [LoggerMessage("{Method} {Endpoint} {Status} in {Milliseconds:0.0} ms, {PromptTokens} + {NewTokens} tokens")]
    private static partial void Answered(ILogger log, LogLevel level, string method, string endpoint, int status, double milliseconds, int promptTokens, int newTokens);

    [LoggerMessage(LogLevel.Error, "{Endpoint} failed")]
    private static partial void Failed(ILogger log, string endpoint, Exception exception);
}
