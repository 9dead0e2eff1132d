using Microsoft.AspNetCore.Http;

namespace T2R.Server.Api;

/// <summary>A request that is answered with an error, in the words of OpenAI's interface (https://platform.openai.com/docs/guides/error-codes).</summary>
internal sealed class ApiException : Exception
{
    private ApiException(int status, string type, string? code, IReadOnlyList<ApiProblem> problems)
        : base(string.Join(' ', problems.Select(p => p.Sentence))) => (Status, Type, Code, Field) = (status, type, code, problems[0].Field);

    /// <summary>The HTTP status.</summary>
    public int Status { get; }

    /// <summary>Whose fault it is: <c>invalid_request_error</c> and so on.</summary>
    public string Type { get; }

    /// <summary>What a program can tell it by; may be null.</summary>
    public string? Code { get; }

    /// <summary>The field that is wrong, the first of several; null if none is.</summary>
    public string? Field { get; }

    public static ApiException Invalid(IReadOnlyList<ApiProblem> problems) => new(StatusCodes.Status400BadRequest, "invalid_request_error", null, problems);

    public static ApiException Invalid(string sentence, string? code = null, string? field = null) =>
        new(StatusCodes.Status400BadRequest, "invalid_request_error", code, [new ApiProblem(field, sentence)]);

    public static ApiException WithStatus(int status, string sentence, string? code, string? field = null) =>
        new(status, "invalid_request_error", code, [new ApiProblem(field, sentence)]);

    public static ApiException WrongKey(bool isMissing) => new(
        StatusCodes.Status401Unauthorized,
        "authentication_error",
        "invalid_api_key",
        [new ApiProblem(null, isMissing ? "There is no API key; send it as 'Authorization: Bearer KEY'." : "The API key is wrong; send the server's as 'Authorization: Bearer KEY'.")]);

    public static ApiException Busy(string sentence) => new(StatusCodes.Status429TooManyRequests, "rate_limit_error", "queue_full", [new ApiProblem(null, sentence)]);

    public static ApiException Stopping() => new(
        StatusCodes.Status503ServiceUnavailable, "server_error", "stopping", [new ApiProblem(null, "The server is stopping and takes no more requests; try again when it is back.")]);

    public static ApiException Ended() => new(
        StatusCodes.Status503ServiceUnavailable,
        "server_error",
        "ended",
        [new ApiProblem(null, "The text was ended before its end: the server is stopping, or what came was not read for too long.")]);

    public static ApiException Broken(string sentence) => new(StatusCodes.Status500InternalServerError, "server_error", null, [new ApiProblem(null, sentence)]);

    public static ApiException Unavailable(string sentence) => new(StatusCodes.Status503ServiceUnavailable, "server_error", "engine_stopped", [new ApiProblem(null, sentence)]);
}
