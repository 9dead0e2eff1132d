using ICSharpCode.SharpZipLib.Checksum;
using ICSharpCode.SharpZipLib.Zip.Compression;

namespace T2R.Data;

/// <summary>
/// The bytes in a gzip file, whose members follow each other (RFC 1952); zeros behind the last are padding. .NET's own stream takes a file that is cut off for a whole one, and
/// SharpZipLib's takes a later member with a damaged header for the end: here both are errors.
/// </summary>
/// <param name="file">The compressed bytes; not disposed with this.</param>
internal sealed class GzipMembers(Stream file) : ForwardStream
{
    private const int HasChecksum = 2, HasExtra = 4, HasName = 8, HasComment = 16, Reserved = 0xE0;

    private readonly byte[] _buffer = new byte[1 << 16];
    private readonly Inflater _inflater = new(noHeader: true);
    private readonly Crc32 _crc = new();
    private int _next;
    private int _end;
    private bool _isInside;
    private bool _isBehindOne;
    private long _length;

    /// <exception cref="EndOfStreamException">The file ends inside a member.</exception>
    /// <exception cref="InvalidDataException">It is damaged; so may the library's own exceptions say.</exception>
    public override int Read(byte[] buffer, int offset, int count)
    {
        int read = 0;
        while (count > 0 && read == 0)
        {
            if (!_isInside && !TryBegin())
            {
                return 0;
            }

            read = _inflater.Inflate(buffer, offset, count);
            _crc.Update(new ArraySegment<byte>(buffer, offset, read));
            _length += read;
            if (_inflater.IsFinished)
            {
                Finish();
            }
            else if (read == 0)
            {
                Feed();
            }
        }

        return read;
    }

    // False where there is no further member.
    private bool TryBegin()
    {
        int first = _isBehindOne && !TryFill() ? 0 : Byte();
        if (_isBehindOne && first == 0)
        {
            PassPadding();
            return false;
        }

        _crc.Reset();
        _crc.Update(first);
        if (first != 0x1F || HeaderByte() != 0x8B || HeaderByte() != 8)
        {
            throw new InvalidDataException(_isBehindOne ? "what follows a member is none" : "its header is missing");
        }

        PassHeader(HeaderByte());
        _inflater.Reset();
        _crc.Reset();
        _length = 0;
        _isInside = true;
        return true;
    }

    private void PassPadding()
    {
        while (TryFill())
        {
            if (_buffer.AsSpan(_next, _end - _next).ContainsAnyExcept((byte)0))
            {
                throw new InvalidDataException("what follows a member is none");
            }

            _next = _end;
        }
    }

    private void PassHeader(int flags)
    {
        // Time, compression level and system.
        Pass(6);
        if ((flags & HasExtra) != 0)
        {
            Pass(HeaderByte() | (HeaderByte() << 8));
        }

        for (int texts = ((flags & HasName) != 0 ? 1 : 0) + ((flags & HasComment) != 0 ? 1 : 0); texts > 0; texts--)
        {
            while (HeaderByte() != 0)
            {
            }
        }

        int expected = (int)_crc.Value & 0xFFFF;
        if ((flags & Reserved) != 0 || ((flags & HasChecksum) != 0 && (Byte() | (Byte() << 8)) != expected))
        {
            throw new InvalidDataException("a member's header is damaged");
        }
    }

    private void Pass(int bytes)
    {
        for (; bytes > 0; bytes--)
        {
            HeaderByte();
        }
    }

    private void Feed()
    {
        if (!_inflater.IsNeedingInput)
        {
            throw new InvalidDataException("a member's data is damaged");
        }

        if (!TryFill())
        {
            throw new EndOfStreamException();
        }

        _inflater.SetInput(_buffer, _next, _end - _next);
        _next = _end;
    }

    private void Finish()
    {
        _next = _end - _inflater.RemainingInput;
        if (Number() != (uint)_crc.Value || Number() != (uint)_length)
        {
            throw new InvalidDataException("a member's checksum is of other bytes");
        }

        (_isInside, _isBehindOne) = (false, true);
    }

    private uint Number() => (uint)(Byte() | (Byte() << 8) | (Byte() << 16)) | ((uint)Byte() << 24);

    private int HeaderByte()
    {
        int value = Byte();
        _crc.Update(value);
        return value;
    }

    private int Byte() => TryFill() ? _buffer[_next++] : throw new EndOfStreamException();

    // Whether there is a byte more.
    private bool TryFill()
    {
        if (_next == _end)
        {
            (_next, _end) = (0, file.Read(_buffer, 0, _buffer.Length));
        }

        return _next < _end;
    }
}
