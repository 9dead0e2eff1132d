using System.Text.Json;

namespace T2R.Server.Api;

/// <summary>The fields of a JSON object that a client sent. What is wrong with them is collected by field; null counts as absent, and fields that nobody asks for do no harm.</summary>
/// <param name="json">The object.</param>
internal sealed class RequestFields(JsonElement json)
{
    private const int MostProblems = 20;

    private readonly List<ApiProblem> _problems = [];

    /// <summary>Adds a problem.</summary>
    public void Add(string field, string sentence) => _problems.Add(new ApiProblem(field, sentence));

    /// <summary>Runs a check of the library; what it finds is the field's problem.</summary>
    /// <returns>Whether it found nothing.</returns>
    public bool Passes(string field, Action<Problems> check)
    {
        var found = new Problems();
        check(found);
        try
        {
            found.ThrowIfAny();
            return true;
        }
        catch (UserErrorException e)
        {
            _problems.AddRange(e.Problems.Select(p => new ApiProblem(field, $"'{field}': {p}")));
            return false;
        }
    }

    /// <summary>Throws what was found, all of it if a person may be meant to read it.</summary>
    public void ThrowIfAny()
    {
        if (_problems.Count > MostProblems)
        {
            throw ApiException.Invalid([.. _problems.Take(MostProblems), new ApiProblem(null, $"There are {_problems.Count - MostProblems} more mistakes like these.")]);
        }

        if (_problems.Count > 0)
        {
            throw ApiException.Invalid(_problems);
        }
    }

    /// <summary>The field as it is; null if it is absent or null.</summary>
    public JsonElement? Find(string field) => json.TryGetProperty(field, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>A text.</summary>
    public string? Text(string field) => Find(field) is not { } value ? null : value.ValueKind == JsonValueKind.String ? value.GetString() : Wrong<string?>(field, value, "a string");

    /// <summary>A number.</summary>
    public double? Number(string field) =>
        Find(field) is not { } value ? null : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) ? number : Wrong<double?>(field, value, "a number");

    /// <summary>A whole number of 32 bits.</summary>
    public int? Whole(string field) =>
        Find(field) is not { } value ? null : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number : Wrong<int?>(field, value, "a whole number");

    /// <summary>A whole number of 64 bits, as the bits it has.</summary>
    public ulong? Bits(string field) =>
        Find(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? unchecked((ulong)number)
        : value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out ulong large) ? large
        : Wrong<ulong?>(field, value, "a whole number");

    /// <summary>True or false; false if it is absent.</summary>
    public bool Flag(string field) =>
        Find(field) is { } value && (value.ValueKind == JsonValueKind.True || (value.ValueKind != JsonValueKind.False && Wrong<bool>(field, value, "true or false")));

    /// <summary>An object within.</summary>
    public RequestFields? Nested(string field) =>
        Find(field) is not { } value ? null : value.ValueKind == JsonValueKind.Object ? new RequestFields(value) : Wrong<RequestFields?>(field, value, "an object");

    /// <summary>Takes over what was found in an object within.</summary>
    public void Take(string field, RequestFields nested) => _problems.AddRange(nested._problems.Select(p => new ApiProblem($"{field}.{p.Field}", $"In '{field}': {p.Sentence}")));

    /// <summary>Adds that a field is not what it should be.</summary>
    /// <returns>Nothing, for the caller to go on with to the next field.</returns>
    public T? Wrong<T>(string field, JsonElement found, string expected)
    {
        Add(field, $"'{field}' is {Name(found)}; expected {expected}.");
        return default;
    }

    /// <summary>Refuses a field that asks for what is not done here, unless its value asks for nothing.</summary>
    public void Refuse(string field, Func<JsonElement, bool> asksForNothing, string instead)
    {
        if (Find(field) is { } value && !asksForNothing(value))
        {
            Add(field, $"'{field}' is not supported; {instead}.");
        }
    }

    /// <summary>What a value is, in words.</summary>
    public static string Name(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "the number " + (value.GetRawText() is { Length: <= 24 } text ? text : "of too many digits"),
        JsonValueKind.Null => "null",
        _ => value.ValueKind == JsonValueKind.True ? "true" : "false",
    };
}
