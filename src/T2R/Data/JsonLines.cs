using System.Text.Json;

namespace T2R.Data;

/// <summary>JSON lines: each line an object, one of whose fields is the document. Blank lines are passed over.</summary>
internal static class JsonLines
{
    public static IEnumerable<Document> Documents(Stream stream, string path, string field)
    {
        var lines = new LineReader(stream);
        while (lines.TryRead(out ReadOnlyMemory<byte> line))
        {
            if (!line.Span.Trim(" \t"u8).IsEmpty)
            {
                yield return new Document(Text(line, path, lines.Line, field), $"{path}:{lines.Line}");
            }
        }
    }

    private static string Text(ReadOnlyMemory<byte> line, string path, long number, string field)
    {
        string json = TextReading.Decode(line.Span, path, number);
        try
        {
            using var document = JsonDocument.Parse(json);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw new UserErrorException($"{path}, line {number}: expected a JSON object with the field \"{field}\", found {Kind(root)}.");
            }

            if (!root.TryGetProperty(field, out JsonElement value))
            {
                string fields = string.Join(", ", root.EnumerateObject().Select(p => $"\"{p.Name}\""));
                throw new UserErrorException(
                    $"{path}, line {number}: the field \"{field}\" is missing (found {(fields.Length > 0 ? fields : "none")}); name the field that holds the text.");
            }

            return value.ValueKind == JsonValueKind.String
                ? value.GetString()!
                : throw new UserErrorException($"{path}, line {number}: the field \"{field}\" is {Kind(value)}, expected a string.");
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{path}, line {number}: not valid JSON at byte {e.BytePositionInLine}; each line must be one JSON object.", e);
        }
        catch (InvalidOperationException e)
        {
            throw new UserErrorException($"{path}, line {number}: the field \"{field}\" holds half of a surrogate pair (\\uD800 to \\uDFFF), which is no text.", e);
        }
    }

    private static string Kind(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };
}
