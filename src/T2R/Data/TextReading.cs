using System.Text;

namespace T2R.Data;

/// <summary>Plain text: the file is the document.</summary>
internal static class TextReading
{
    /// <summary>What may stand at a file's beginning and is no text.</summary>
    public const char ByteOrderMark = '\uFEFF';

    /// <summary>UTF-8 that throws where bytes are none.</summary>
    public static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>A longer file is read in parts where it can be.</summary>
    private const int LongBytes = 1 << 22;

    /// <summary>Reads the file.</summary>
    /// <param name="stream">The file's bytes, from its beginning.</param>
    /// <param name="path">Its name.</param>
    /// <param name="from">How many bytes to pass over: all, or up to where a part began.</param>
    /// <param name="cut">Where a long text can be cut; null when it must stay whole.</param>
    public static IEnumerable<FileBatch> Batches(SourceStream stream, string path, long from, TextCut? cut)
    {
        using var read = new MemoryStream();
        byte[] piece = new byte[1 << 16];
        for (int count = stream.Read(piece, 0, piece.Length); count > 0; count = stream.Read(piece, 0, piece.Length))
        {
            if (read.Length > Array.MaxLength - count)
            {
                throw TooLong(path, null);
            }

            read.Write(piece, 0, count);
            if (cut is not null && read.Length > LongBytes)
            {
                return new LongText(path, cut, stream.Cancellation).Batches(from);
            }
        }

        ReadOnlyMemory<byte> bytes = read.GetBuffer().AsMemory(0, (int)read.Length);
        return from < bytes.Length
            ? [new FileBatch(bytes.Length, stream.FileBytesRead, bytes.Length, Record(bytes, path))]
            : [];
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
            throw new UserErrorException(NotUtf8(path, firstLine + text[..e.Index].Count((byte)'\n'), text[e.Index]), e);
        }
        catch (OutOfMemoryException e)
        {
            throw TooLong(path, e);
        }
    }

    /// <summary>What is wrong with a byte.</summary>
    public static string NotUtf8(string path, long line, byte found) => $"{path}, line {line}: the byte 0x{found:X2} is not valid UTF-8; convert the file to UTF-8.";

    private static IEnumerable<CorpusRecord> Record(ReadOnlyMemory<byte> bytes, string path)
    {
        yield return CorpusRecord.Of(path, () => Decode(bytes.Span, path, firstLine: 1));
    }

    private static UserErrorException TooLong(string path, Exception? cause) =>
        new($"{path}: one document is too long to be held in memory; cut it into several files, or lines of JSON.", cause);
}
