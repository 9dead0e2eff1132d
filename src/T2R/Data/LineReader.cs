namespace T2R.Data;

/// <summary>Cuts a stream into lines of bytes, so that a damaged byte can be told by its line.</summary>
internal sealed class LineReader(Stream stream)
{
    private byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private bool _ended;

    /// <summary>The number of the line last read, from 1.</summary>
    public long Line { get; private set; }

    /// <summary>Reads a line, without its ending (<c>\n</c> or <c>\r\n</c>) and without a byte order mark at the beginning of the file.</summary>
    /// <param name="line">Valid until the next call.</param>
    /// <returns>False at the end.</returns>
    public bool TryRead(out ReadOnlyMemory<byte> line)
    {
        int searched = 0;
        while (true)
        {
            int found = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (found >= 0 || (_ended && _end > _start))
            {
                int length = found >= 0 ? searched + found : _end - _start;
                line = Trimmed(_buffer.AsMemory(_start, length));
                _start = Math.Min(_end, _start + length + 1);
                return true;
            }

            if (_ended)
            {
                line = default;
                return false;
            }

            searched = _end - _start;
            Fill();
        }
    }

    private void Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        int read = stream.Read(_buffer.AsSpan(_end));
        _end += read;
        _ended = read == 0;
    }

    private ReadOnlyMemory<byte> Trimmed(ReadOnlyMemory<byte> line)
    {
        line = Line++ == 0 && line.Span.StartsWith("\uFEFF"u8) ? line[3..] : line;
        return line.Span.EndsWith("\r"u8) ? line[..^1] : line;
    }
}
