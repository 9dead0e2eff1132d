using Microsoft.AspNetCore.Http;

namespace T2R.Server;

/// <summary>The page at <c>/</c>: three files within this assembly, and no others.</summary>
internal static class StaticPage
{
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>The paths, and what lies there.</summary>
    public static IReadOnlyList<(string Path, RequestDelegate Send)> Files { get; } =
    [
        ("/", Send("index.html", "text/html")),
        ("/page.css", Send("page.css", "text/css")),
        ("/page.js", Send("page.js", "text/javascript")),
    ];

    private static RequestDelegate Send(string name, string type)
    {
        byte[] bytes = Read(name);
        return context =>
        {
            context.Response.ContentType = $"{type}; charset=utf-8";
            context.Response.ContentLength = bytes.Length;
            context.Response.Headers.CacheControl = "no-cache";
            context.Response.Headers.XContentTypeOptions = "nosniff";
            context.Response.Headers.ContentSecurityPolicy = Policy;
            return context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
        };
    }

    private static byte[] Read(string name)
    {
        using Stream stream = typeof(StaticPage).Assembly.GetManifestResourceStream(name)!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
