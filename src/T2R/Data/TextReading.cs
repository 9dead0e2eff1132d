using System.Text;

namespace T2R.Data;

/// <summary>Plain text: the file is the document.</summary>
internal static class TextReading
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads the file, unless it is behind.</summary>
    public static IEnumerable<FileBatch> Batches(SourceStream stream, string path, long from)
    {
        if (from == 0)
        {
            ReadOnlyMemory<byte> bytes = ReadAll(stream, path);
            yield return new FileBatch(1, stream.FileBytesRead, bytes.Length, Enumerable.Repeat(0, 1).Select(_ => CorpusRecord.Of(path, () => Decode(bytes.Span, path, firstLine: 1))));
        }
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
        catch (OutOfMemoryException e)
        {
            throw new UserErrorException($"{path}: one document of {bytes.Length} bytes is too long to be held; cut it into several files, or lines of JSON.", e);
        }
    }

    private static ReadOnlyMemory<byte> ReadAll(Stream stream, string path)
    {
        using var bytes = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        for (int read = stream.Read(buffer, 0, buffer.Length); read > 0; read = stream.Read(buffer, 0, buffer.Length))
        {
            if (bytes.Length + read > Array.MaxLength)
            {
                throw new UserErrorException($"{path}: one document of more than {Array.MaxLength} bytes is too long to be held; cut it into several files, or lines of JSON.");
            }

            bytes.Write(buffer, 0, read);
        }

        return bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
    }
}
