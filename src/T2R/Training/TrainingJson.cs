using System.Text.Json;
using System.Text.Json.Serialization;

namespace T2R.Training;

/// <summary>How a run's files are written: names as in recipes.</summary>
internal static class TrainingJson
{
    public static readonly JsonSerializerOptions Indented = Make(indented: true);

    public static readonly JsonSerializerOptions Line = Make(indented: false);

    /// <summary>A value as a recipe spells it.</summary>
    public static string Text<T>(T value) => JsonSerializer.Serialize(value, Line).Trim('"');

    private static JsonSerializerOptions Make(bool indented) => new()
    {
        WriteIndented = indented,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };
}
