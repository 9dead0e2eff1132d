namespace T2R.Server.Api;

/// <summary>An error as it is answered.</summary>
/// <param name="Error">What went wrong.</param>
internal sealed record ErrorBody(ErrorDetails Error)
{
    public static ErrorBody Of(ApiException e) => new(new ErrorDetails(e.Message, e.Type, e.Field, e.Code));
}

internal sealed record ErrorDetails(string Message, string Type, string? Param, string? Code);
