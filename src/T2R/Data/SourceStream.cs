using ZstdSharp;

namespace T2R.Data;

/// <summary>Reads a file that may be compressed; says which file is damaged when the compression is.</summary>
internal sealed class SourceStream(Stream inner, string path) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        try
        {
            return inner.Read(buffer);
        }
        catch (EndOfStreamException e)
        {
            throw new UserErrorException($"{path} is cut off: its Zstandard data ends in the middle of a frame; fetch the file again.", e);
        }
        catch (ZstdException e)
        {
            throw new UserErrorException($"{path} is not valid Zstandard ({e.Message}); fetch the file again, or drop .zst from its name if it is not compressed.", e);
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
