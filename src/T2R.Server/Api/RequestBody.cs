using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace T2R.Server.Api;

/// <summary>A request's body, which is to be a JSON object.</summary>
internal static class RequestBody
{
    /// <summary>Reads it whole; the caller disposes it.</summary>
    /// <exception cref="ApiException">It is not JSON, not an object, or not said to be JSON: a page of another site can send a form or a text, but no JSON.</exception>
    /// <exception cref="BadHttpRequestException">It is too large or comes too slowly.</exception>
    public static async Task<JsonDocument> ReadAsync(HttpRequest request)
    {
        if (!request.HasJsonContentType())
        {
            throw ApiException.WithStatus(
                StatusCodes.Status415UnsupportedMediaType, "The body is not said to be JSON; send the header 'Content-Type: application/json'.", "unsupported_media_type");
        }

        JsonDocument document;
        try
        {
            document = await JsonDocument.ParseAsync(request.Body, cancellationToken: request.HttpContext.RequestAborted);
        }
        catch (JsonException e)
        {
            throw ApiException.Invalid($"The body is not valid JSON: {e.Message}", "invalid_json");
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object)
        {
            return document;
        }

        using (document)
        {
            throw ApiException.Invalid($"The body is {RequestFields.Name(document.RootElement)}; expected an object.", "invalid_json");
        }
    }
}
