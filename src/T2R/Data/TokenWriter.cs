using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace T2R.Data;

/// <summary>
/// Writes a file of tokens part by part: a part's ids are on the disk before the header tells of them, so that whoever opens the file after a kill goes on behind the
/// last whole part. Ids take 2 bytes until one does not fit, then 4.
/// </summary>
internal sealed class TokenWriter
{
    // Of a part: each costs two flushes to the disk, and that many must be made again after a kill.
    private const int PartIds = 1 << 22;

    private readonly SafeFileHandle _file;
    private readonly byte[] _buffer = new byte[1 << 20];
    private int _buffered;
    private long _flushed;
    private long _committed;

    /// <summary>Goes on with a file, or begins it.</summary>
    /// <param name="file">Open for reading and writing.</param>
    /// <param name="begin">The header to begin with, without ids.</param>
    /// <param name="goesOn">Whether to go on with what the file holds, if it was made with the same key.</param>
    public TokenWriter(SafeFileHandle file, TokenFileHeader begin, Func<TokenFileHeader, bool> goesOn)
    {
        _file = file;
        Header = TokenFileHeader.Read(file) is { } found && found.Key.AsSpan().SequenceEqual(begin.Key) && goesOn(found) ? found : begin;
        if (ReferenceEquals(Header, begin))
        {
            // Else, until the first part is whole, the header of what was there would tell of ids that are no longer its own.
            RandomAccess.SetLength(file, 0);
            RandomAccess.FlushToDisk(file);
        }

        (_flushed, _committed) = (Header.IdBytes, Header.Count);
    }

    /// <summary>Tells of all that was appended.</summary>
    public TokenFileHeader Header { get; private set; }

    /// <summary>Adds a batch's ids.</summary>
    public void Append(EncodedBatch batch)
    {
        ReadOnlySpan<int> ids = CollectionsMarshal.AsSpan(batch.Ids);
        if (Header.BytesPerId == sizeof(ushort) && ids.IndexOfAnyExceptInRange(0, ushort.MaxValue) >= 0)
        {
            Widen();
        }

        while (!ids.IsEmpty)
        {
            int count = Math.Min(ids.Length, (_buffer.Length - _buffered) / Header.BytesPerId);
            Pack(ids[..count], _buffer.AsSpan(_buffered), Header.BytesPerId);
            ids = ids[count..];
            _buffered += count * Header.BytesPerId;
            if (_buffered == _buffer.Length)
            {
                Flush();
            }
        }

        Header = Header with { Count = Header.Count + batch.Ids.Count, Damaged = Header.Damaged + batch.Damages.Count, Position = batch.End };
        if (Header.Count - _committed >= PartIds)
        {
            Commit();
        }
    }

    /// <summary>Brings all that was appended to the disk.</summary>
    public void Commit()
    {
        Flush();
        RandomAccess.FlushToDisk(_file);
        RandomAccess.Write(_file, Header.ToBytes(), 0);
        RandomAccess.FlushToDisk(_file);
        _committed = Header.Count;
    }

    /// <summary>Likewise, and marks the file as complete.</summary>
    public void Complete()
    {
        Flush();
        RandomAccess.SetLength(_file, TokenFileHeader.Bytes + Header.IdBytes);
        Header = Header with { IsComplete = true };
        Commit();
    }

    private static void Pack(ReadOnlySpan<int> ids, Span<byte> bytes, int width)
    {
        if (width == sizeof(int))
        {
            MemoryMarshal.AsBytes(ids).CopyTo(bytes);
            return;
        }

        Span<ushort> narrow = MemoryMarshal.Cast<byte, ushort>(bytes)[..ids.Length];
        for (int i = 0; i < narrow.Length; i++)
        {
            narrow[i] = (ushort)ids[i];
        }
    }

    private void Flush()
    {
        RandomAccess.Write(_file, _buffer.AsSpan(0, _buffered), TokenFileHeader.Bytes + _flushed);
        _flushed += _buffered;
        _buffered = 0;
    }

    // In place and from the end, so that no id is written over before it is read. Should that be interrupted, the file has no header and is begun anew.
    private void Widen()
    {
        Flush();
        RandomAccess.Write(_file, new byte[TokenFileHeader.Bytes], 0);
        RandomAccess.FlushToDisk(_file);
        int[] wide = new int[_buffer.Length / sizeof(ushort)];
        for (long end = Header.Count; end > 0;)
        {
            int count = (int)Math.Min(end, wide.Length);
            end -= count;
            Span<byte> bytes = _buffer.AsSpan(0, count * sizeof(ushort));
            FileBytes.Read(_file, bytes, TokenFileHeader.Bytes + (end * sizeof(ushort)));
            ReadOnlySpan<ushort> narrow = MemoryMarshal.Cast<byte, ushort>(bytes);
            for (int i = 0; i < count; i++)
            {
                wide[i] = narrow[i];
            }

            RandomAccess.Write(_file, MemoryMarshal.AsBytes(wide.AsSpan(0, count)), TokenFileHeader.Bytes + (end * sizeof(int)));
        }

        Header = Header with { BytesPerId = sizeof(int) };
        _flushed = Header.IdBytes;
    }
}
