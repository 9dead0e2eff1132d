using System.Text;

namespace T2R.Data;

/// <summary>Plain text: the file is the document.</summary>
internal static class TextReading
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static IEnumerable<Document> Documents(Stream stream, string path)
    {
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        yield return new Document(Decode(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), path, firstLine: 1), path);
    }

    /// <summary>Decodes UTF-8; drops a byte order mark at the beginning.</summary>
    /// <exception cref="UserErrorException">A byte is not UTF-8; names the line.</exception>
    public static string Decode(ReadOnlySpan<byte> bytes, string path, long firstLine)
    {
        ReadOnlySpan<byte> text = bytes.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
        try
        {
            return Strict.GetString(text);
        }
        catch (DecoderFallbackException e)
        {
            long line = firstLine + text[..e.Index].Count((byte)'\n');
            throw new UserErrorException($"{path}, line {line}: the byte 0x{text[e.Index]:X2} is not valid UTF-8; convert the file to UTF-8.", e);
        }
    }
}
