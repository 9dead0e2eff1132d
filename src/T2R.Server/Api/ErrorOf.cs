using Microsoft.AspNetCore.Http;
using T2R.Generation.Serving;

namespace T2R.Server.Api;

/// <summary>What a client is told of what was thrown.</summary>
internal static class ErrorOf
{
    public static ApiException Exception(Exception e, ServerOptions options) => e switch
    {
        ApiException api => api,
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => ApiException.WithStatus(
            StatusCodes.Status413PayloadTooLarge, $"The body is larger than {options.MaxBodyBytes} bytes; send less, or start the server with a larger --max-body.", "body_too_large"),
        BadHttpRequestException bad => ApiException.WithStatus(bad.StatusCode, bad.Message, "bad_request"),
        QueueFullException full => ApiException.Busy(full.Message),
        EngineStoppedException { InnerException: null } => ApiException.Stopping(),
        EngineStoppedException => ApiException.Unavailable("The model has failed and takes no more requests; the server's log says why."),
        UserErrorException user => ApiException.Broken(string.Join(' ', user.Problems)),
        _ => ApiException.Broken("The server failed; its log says why."),
    };
}
