using System.Text.Json;

namespace T2R.Cli;

/// <summary>A JSON file that is an array of strings.</summary>
internal static class JsonTexts
{
    private const int MostProblems = 10;

    /// <summary>Reads the strings.</summary>
    /// <param name="path">The file, in UTF-8.</param>
    /// <returns>The strings, in order.</returns>
    /// <exception cref="UserErrorException">It is missing, not JSON, or not an array of strings; names the elements, counted from 0.</exception>
    public static List<string> Read(string path)
    {
        byte[] json = Bytes(path);
        var texts = new List<string>();
        var problems = new Problems();
        var reader = new Utf8JsonReader(json);
        int element = 0, wrong = 0;
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray)
            {
                throw new UserErrorException($"{path}: an array of strings was expected, such as [\"one text\", \"another\"]; found {Name(reader.TokenType)}.");
            }

            for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; element++)
            {
                if (reader.TokenType == JsonTokenType.String)
                {
                    texts.Add(reader.GetString()!);
                    continue;
                }

                if (wrong++ < MostProblems)
                {
                    problems.Add($"{path}: element {element} is {Name(reader.TokenType)}; a string was expected.");
                }

                reader.Skip();
            }

            reader.Read();
        }
        catch (JsonException e)
        {
            problems.Add($"{path}: not valid JSON at element {element} ({e.Message}); mend the file.");
        }
        catch (InvalidOperationException e)
        {
            problems.Add($"{path}: element {element} is not text ({e.Message}); half a surrogate pair or bytes that are not UTF-8.");
        }

        problems.ThrowIfAny();
        return texts;
    }

    private static byte[] Bytes(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserErrorException($"{path}: there is no such file; check the path.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UserErrorException($"{path}: this is a folder or a file that may not be read; an array of strings in JSON was expected.", e);
        }
    }

    private static string Name(JsonTokenType token) => token switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        JsonTokenType.Null => "null",
        JsonTokenType.None => "nothing",
        _ => "a truth value",
    };
}
