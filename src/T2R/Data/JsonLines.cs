using System.Text.Json;
using System.Text.Unicode;

namespace T2R.Data;

/// <summary>JSON lines: each line an object, one of whose fields is the document. Blank lines are passed over.</summary>
internal static class JsonLines
{
    /// <summary>Reads lines.</summary>
    /// <param name="stream">The file's bytes, from its beginning.</param>
    /// <param name="path">Its name, for messages.</param>
    /// <param name="field">The field that holds the text.</param>
    /// <param name="from">How many lines to pass over.</param>
    public static IEnumerable<FileBatch> Batches(SourceStream stream, string path, string field, long from)
    {
        var blocks = new LineBlocks(stream, path);
        while (blocks.TryRead(out LineBlock block))
        {
            if (block.LinesBefore + block.Lines > from)
            {
                yield return new FileBatch(block.LinesBefore + block.Lines, stream.FileBytesRead, block.Bytes.Length, Records(block, path, field, from));
            }
        }
    }

    private static IEnumerable<CorpusRecord> Records(LineBlock block, string path, string field, long from)
    {
        foreach ((long number, ReadOnlyMemory<byte> line) in block.Split())
        {
            if (number > from && !line.Span.Trim(" \t"u8).IsEmpty)
            {
                yield return CorpusRecord.Of($"{path}:{number}", () => Text(line.Span, path, number, field));
            }
        }
    }

    private static string Text(ReadOnlySpan<byte> line, string path, long number, string field)
    {
        if (!Utf8.IsValid(line))
        {
            _ = TextReading.Decode(line, path, number);
        }

        ReadOnlySpan<byte> json = line.StartsWith("\uFEFF"u8) ? line[3..] : line;
        try
        {
            return Value(json, field) ?? throw new UserErrorException(
                $"{path}, line {number}: the field \"{field}\" is missing (found {Names(json)}); name the field that holds the text.");
        }
        catch (UnexpectedKindException e)
        {
            throw new UserErrorException($"{path}, line {number}: {e.Message}.", e);
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

    // To its end, since a line that is cut off or followed by something is damaged; of a name that occurs twice the last counts.
    private static string? Value(ReadOnlySpan<byte> json, string field)
    {
        string? text = null;
        var reader = new Utf8JsonReader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new UnexpectedKindException($"expected a JSON object with the field \"{field}\", found {Kind(reader.TokenType)}");
        }

        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1)
            {
                continue;
            }

            bool isField = reader.ValueTextEquals(field);
            reader.Read();
            if (isField)
            {
                text = reader.TokenType == JsonTokenType.String
                    ? reader.GetString()
                    : throw new UnexpectedKindException($"the field \"{field}\" is {Kind(reader.TokenType)}, expected a string");
            }
        }

        return text;
    }

    private static string Names(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        using var document = JsonDocument.ParseValue(ref reader);
        string names = string.Join(", ", document.RootElement.EnumerateObject().Select(p => $"\"{p.Name}\""));
        return names.Length > 0 ? names : "none";
    }

    private static string Kind(JsonTokenType token) => token switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        JsonTokenType.Null => "null",
        _ => "true or false",
    };

    private sealed class UnexpectedKindException(string message) : Exception(message);
}
