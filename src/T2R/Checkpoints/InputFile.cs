using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using T2R.Interop;

namespace T2R.Checkpoints;

/// <summary>What can be wrong with a file before its first byte is understood, said in one way.</summary>
public static class InputFile
{
    private const long MaxSmallBytes = 100_000_000;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: true, throwOnInvalidBytes: true);

    /// <summary>Whether there is a file or folder of that name, or a link, be it one that leads nowhere: opening that says so.</summary>
    internal static bool IsThere(string path) => Path.Exists(path) || LinkTarget(path) is not null;

    /// <summary>The length of a file that can be read.</summary>
    /// <exception cref="UserErrorException">It is missing, a folder, or not readable.</exception>
    internal static long Length(string path)
    {
        using var handle = Open(path);
        return RandomAccess.GetLength(handle);
    }

    /// <summary>Opens a file for reading.</summary>
    /// <exception cref="UserErrorException">It is missing, a folder, or not readable.</exception>
    internal static SafeFileHandle Open(string path)
    {
        if (Directory.Exists(path))
        {
            throw new UserErrorException($"{path}: this is a folder, expected a file.");
        }

        if (Posix.IsPipe(path))
        {
            throw new UserErrorException($"{path}: this is a pipe, expected a file whose parts can be read in any order; write it to a file first.");
        }

        try
        {
            return File.OpenHandle(path);
        }
        catch (IOException e) when (LinkTarget(path) is not null)
        {
            throw new UserErrorException($"{path}: this is a link to {LinkTarget(path)}, where there is no file; fetch the file again (a cache may keep links whose blobs are gone).", e);
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
    /// <param name="path">The file.</param>
    /// <exception cref="UserErrorException">It is missing, a folder, not readable, not JSON, or names a key twice.</exception>
    public static JsonElement ReadJson(string path)
    {
        byte[] json = ReadSmall(path, "JSON");
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
            RefusePointer(path, json);
            throw new UserErrorException($"{path}: not valid JSON ({e.Message}); the download may be incomplete, mend the file or fetch it again.", e);
        }
    }

    /// <summary>The content of a small text file in UTF-8.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="UserErrorException">It is missing, a folder, not readable, or not UTF-8.</exception>
    public static string ReadText(string path)
    {
        ReadOnlySpan<byte> text = ReadSmall(path, "text");
        try
        {
            return Strict.GetString(text.StartsWith(Strict.Preamble) ? text[Strict.Preamble.Length..] : text);
        }
        catch (DecoderFallbackException e)
        {
            throw new UserErrorException($"{path}: not text in UTF-8 ({e.Message}); mend the file or fetch it again.", e);
        }
    }

    /// <summary>Passes if a file is not what Git LFS leaves where a large file is to come.</summary>
    /// <param name="path">The file.</param>
    /// <param name="start">Its first bytes, eight at least.</param>
    /// <exception cref="UserErrorException">It is.</exception>
    internal static void RefusePointer(string path, ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("version "u8))
        {
            throw new UserErrorException($"{path}: this is a Git LFS pointer, not the file itself; run `git lfs pull` in its folder.");
        }
    }

    private static string? LinkTarget(string path) => new FileInfo(path).LinkTarget;

    private static byte[] ReadSmall(string path, string kind)
    {
        using var stream = new FileStream(Open(path), FileAccess.Read, bufferSize: 0);
        if (stream.Length > MaxSmallBytes)
        {
            throw new UserErrorException($"{path}: has {stream.Length} bytes, expected {kind} of at most {MaxSmallBytes}; it is another file, fetch it again.");
        }

        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
