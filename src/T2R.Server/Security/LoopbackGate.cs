using System.Net;
using Microsoft.AspNetCore.Http;
using T2R.Server.Api;

namespace T2R.Server.Security;

/// <summary>
/// Lets those through who call a server on this machine by an address or as localhost. A page of another site can have its own name resolve to this machine (DNS rebinding),
/// and would then speak to the server as if it were its own.
/// </summary>
internal static class LoopbackGate
{
    public static Task PassAsync(HttpContext context, RequestDelegate next)
    {
        string host = context.Request.Host.Host;
        return host.Length == 0 || host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host.Trim('[', ']'), out _)
            ? next(context)
            : throw ApiException.WithStatus(
                StatusCodes.Status403Forbidden, "The server has no key and is for this machine alone; call it as localhost, or start it with --api-key-file.", "wrong_host");
    }
}
