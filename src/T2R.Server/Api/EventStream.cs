using Microsoft.AspNetCore.Http;

namespace T2R.Server.Api;

/// <summary>
/// Sends objects as they come, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). Several may send at once; each waits until the
/// client has room, so who reads slowly slows only what is generated for it.
/// </summary>
internal sealed class EventStream(HttpResponse response) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationToken _gone = response.HttpContext.RequestAborted;

    /// <summary>Sends the headers, so that a client whose request waits for a slot knows that it was taken.</summary>
    public Task BeginAsync()
    {
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no"; // nginx would else collect events
        return response.Body.FlushAsync(_gone);
    }

    /// <summary>Sends an object.</summary>
    /// <exception cref="OperationCanceledException">The client has gone away.</exception>
    public Task SendAsync(object value) => SendAsync(ApiJson.Bytes(value));

    /// <summary>Sends what ends a stream.</summary>
    public Task EndAsync() => SendAsync("[DONE]"u8.ToArray());

    public void Dispose() => _turn.Dispose();

    private async Task SendAsync(byte[] data)
    {
        await _turn.WaitAsync(_gone);
        try
        {
            await response.Body.WriteAsync((byte[])[.. "data: "u8, .. data, .. "\n\n"u8], _gone);
            await response.Body.FlushAsync(_gone);
        }
        finally
        {
            _turn.Release();
        }
    }
}
