namespace T2R.Data;

/// <summary>Cuts a stream into blocks of whole lines: finding the last line's end is quick, and the lines themselves are for another thread.</summary>
internal sealed class LineBlocks(Stream stream, string path)
{
    // Copies of it stay below the size from which arrays are collected rarely.
    private const int UsualBytes = 1 << 16;

    private byte[] _buffer = new byte[UsualBytes];
    private int _end;
    private bool _ended;
    private long _lines;

    /// <summary>Reads some lines.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="UserErrorException">A line is too long to be held.</exception>
    public bool TryRead(out LineBlock block)
    {
        int searched = 0;
        while (true)
        {
            Fill();
            int last = _buffer.AsSpan(searched, _end - searched).LastIndexOf((byte)'\n');
            if (last >= 0 || (_ended && _end > 0))
            {
                block = Take(last >= 0 ? searched + last + 1 : _end);
                return true;
            }

            if (_ended)
            {
                block = default;
                return false;
            }

            searched = _end;
            Grow();
        }
    }

    private void Fill()
    {
        int read = stream.ReadAtLeast(_buffer.AsSpan(_end), _buffer.Length - _end, throwOnEndOfStream: false);
        _end += read;
        _ended = _end < _buffer.Length;
    }

    private LineBlock Take(int length)
    {
        byte[] bytes = _buffer[..length];
        ReadOnlySpan<byte> rest = _buffer.AsSpan(length, _end - length);

        // One long line is no reason for long blocks behind it.
        _buffer = _buffer.Length > UsualBytes && rest.Length < UsualBytes ? new byte[UsualBytes] : _buffer;
        rest.CopyTo(_buffer);
        _end = rest.Length;
        long lines = bytes.AsSpan().Count((byte)'\n') + (bytes[^1] == '\n' ? 0 : 1);
        _lines += lines;
        return new LineBlock(_lines - lines, lines, bytes);
    }

    private void Grow()
    {
        if (_end == Array.MaxLength)
        {
            throw new UserErrorException($"{path}, line {_lines + 1}: longer than {Array.MaxLength} bytes; expected a JSON object a line. Cut the text, or name the format if it is another.");
        }

        Array.Resize(ref _buffer, (int)Math.Min(Array.MaxLength, _end * 2L));
    }
}
