using System.Text.Json;

namespace T2R.Checkpoints;

/// <summary>What can be wrong with a file before its first byte is understood, said in one way.</summary>
internal static class InputFile
{
    /// <summary>The length of a file that can be read.</summary>
    /// <exception cref="UserErrorException">It is missing, a folder, or not readable.</exception>
    internal static long Length(string path)
    {
        if (Directory.Exists(path))
        {
            throw new UserErrorException($"{path}: this is a folder, expected a file.");
        }

        try
        {
            using var handle = File.OpenHandle(path);
            return RandomAccess.GetLength(handle);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserErrorException($"{path}: there is no such file; check the path.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UserErrorException($"{path}: the file cannot be read: permission denied.", e);
        }
    }

    /// <summary>The content of a small JSON file.</summary>
    /// <exception cref="UserErrorException">It is missing, a folder, not readable, not JSON, or names a key twice.</exception>
    internal static JsonElement ReadJson(string path)
    {
        _ = Length(path);
        byte[] json = File.ReadAllBytes(path);
        try
        {
            // Reading every string finds those that are JSON but not text: half a surrogate pair.
            var reader = new Utf8JsonReader(json);
            while (reader.Read())
            {
                _ = reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName ? reader.GetString() : null;
            }

            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return document.RootElement.Clone();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new UserErrorException($"{path}: not valid JSON ({e.Message}); the download may be incomplete, mend the file or fetch it again.", e);
        }
    }
}
