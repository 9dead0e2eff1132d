using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace T2R.Data;

/// <summary>
/// A text file that is too long to be held: read once for its hash and whether it is UTF-8, and once more in parts, cut where they can be tokenized apart. Its records
/// are counted in bytes.
/// </summary>
/// <param name="path">The file.</param>
/// <param name="cut">Where it may be cut.</param>
/// <param name="cancellation">Stops the reading.</param>
internal sealed class LongText(string path, TextCut cut, CancellationToken cancellation)
{
    // Parts of it stay below the size from which objects are collected rarely.
    private const int PieceBytes = 1 << 15;

    private readonly byte[] _bytes = new byte[PieceBytes];

    /// <summary>Reads the parts.</summary>
    /// <param name="from">How many bytes to pass over: up to where a part began.</param>
    public IEnumerable<FileBatch> Batches(long from)
    {
        UserErrorException? damage = null;
        TextHash? whole = null;
        try
        {
            whole = Scan();
        }
        catch (DamagedTextException e)
        {
            damage = new UserErrorException(e.Message, e);
        }

        return damage is not null ? [new FileBatch(long.MaxValue, new FileInfo(path).Length, 0, [new CorpusRecord(null, damage)])]
            : whole is { } hash ? Parts(hash, from)
            : [];
    }

    private IEnumerable<FileBatch> Parts(TextHash whole, long from)
    {
        using var stream = new SourceStream(path, cancellation);
        Skip(stream, from);
        Decoder decoder = TextReading.Strict.GetDecoder();
        char[] waiting = new char[PieceBytes * 2];
        var (length, next, isEnd) = (0, from, false);
        while (!isEnd)
        {
            int count = stream.ReadAtLeast(_bytes, PieceBytes, throwOnEndOfStream: false);
            isEnd = count < PieceBytes;
            if (waiting.Length - length <= PieceBytes)
            {
                Array.Resize(ref waiting, checked(waiting.Length * 2));
            }

            // Of what waited already there was no place to cut.
            int tried = Math.Max(0, length - 1);
            length += decoder.GetChars(_bytes.AsSpan(0, count), waiting.AsSpan(length), flush: isEnd);
            int end = isEnd ? length : cut(waiting.AsSpan(tried, length - tried)) is var place and > 0 ? tried + place : 0;
            if (end > 0)
            {
                int mark = next == 0 && waiting[0] == TextReading.ByteOrderMark ? 1 : 0;
                var document = new Document(new string(waiting, mark, end - mark), path) { Part = new DocumentPart(next == 0, whole) };
                next += Encoding.UTF8.GetByteCount(waiting, 0, end);
                yield return new FileBatch(next, stream.FileBytesRead, end * sizeof(char), [new CorpusRecord(document, null)]);
                Array.Copy(waiting, end, waiting, 0, length - end);
                length -= end;
            }
        }
    }

    // The hash of the text; null if it is blank.
    private TextHash? Scan()
    {
        using var stream = new SourceStream(path, cancellation);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Decoder decoder = TextReading.Strict.GetDecoder();
        char[] characters = new char[PieceBytes + 4];
        var (isBlank, isEnd, isFirst, lines) = (true, false, true, 0L);
        while (!isEnd)
        {
            int count = stream.ReadAtLeast(_bytes, PieceBytes, throwOnEndOfStream: false);
            isEnd = count < PieceBytes;
            ReadOnlySpan<char> text = characters.AsSpan(0, Decoded(decoder, _bytes.AsSpan(0, count), characters, isEnd, lines));
            text = isFirst && text.StartsWith(TextReading.ByteOrderMark) ? text[1..] : text;
            hash.AppendData(MemoryMarshal.AsBytes(text));
            isBlank &= text.IsWhiteSpace();
            lines += text.Count('\n');
            isFirst = false;
        }

        return isBlank ? null : TextHash.OfDigest(hash.GetHashAndReset());
    }

    private int Decoded(Decoder decoder, ReadOnlySpan<byte> bytes, Span<char> characters, bool isEnd, long linesBefore)
    {
        try
        {
            return decoder.GetChars(bytes, characters, isEnd);
        }
        catch (DecoderFallbackException e)
        {
            long line = 1 + linesBefore + bytes[..Math.Clamp(e.Index, 0, bytes.Length)].Count((byte)'\n');
            throw new DamagedTextException(TextReading.NotUtf8(path, line, e.BytesUnknown![0]), e);
        }
    }

    private void Skip(SourceStream stream, long bytes)
    {
        while (bytes > 0)
        {
            int read = stream.ReadAtLeast(_bytes.AsSpan(0, (int)Math.Min(PieceBytes, bytes)), 1, throwOnEndOfStream: false);
            bytes = read == 0 ? 0 : bytes - read;
        }
    }

    private sealed class DamagedTextException(string message, Exception inner) : Exception(message, inner);
}
