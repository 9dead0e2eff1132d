namespace T2R.Data;

/// <summary>A file of a corpus without its compression; says which file is damaged when the compression is.</summary>
internal sealed class SourceStream : ForwardStream
{
    private readonly string _path;
    private readonly FileStream _file;
    private readonly Stream _plain;

    public SourceStream(string path, CancellationToken cancellation)
    {
        (_path, Cancellation) = (path, cancellation);
        _file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        _plain = Compression.Of(path).Undo(_file);
    }

    /// <summary>Stops every reading.</summary>
    public CancellationToken Cancellation { get; }

    /// <summary>Bytes of the file on disk that have been read.</summary>
    public long FileBytesRead => _file.Position;

    public override int Read(byte[] buffer, int offset, int count)
    {
        Cancellation.ThrowIfCancellationRequested();
        try
        {
            return _plain != _file && _file.Length == 0 ? throw new EndOfStreamException() : _plain.Read(buffer, offset, count);
        }
        catch (EndOfStreamException e)
        {
            throw new UserErrorException($"{_path} is cut off: its {Kind} data ends in the middle; fetch the file again.", e);
        }
        catch (Exception e) when (_plain != _file && e is not (IOException or OutOfMemoryException))
        {
            // The libraries' own exceptions, and whatever else they meet in damaged data.
            throw new UserErrorException(
                $"{_path} is not valid {Kind} ({e.Message}); fetch the file again, or drop {Compression.Of(_path).Extension} from its name if it is not compressed.", e);
        }
    }

    protected override void Dispose(bool disposing)
    {
        _plain.Dispose();
        _file.Dispose();
        base.Dispose(disposing);
    }

    private string Kind => Compression.Of(_path).Name;
}
