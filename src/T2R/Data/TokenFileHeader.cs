using System.Buffers.Binary;
using System.Security.Cryptography;

namespace T2R.Data;

/// <summary>
/// The first 128 bytes of a file of tokens, little-endian: 8 of magic, 32 of <see cref="Key"/>, bytes per id, beginning id and whether it is complete as int32, zeros,
/// count, damaged records and position (file, record) as int64, and from byte 96 the SHA-256 of what is before.
/// </summary>
/// <param name="Key">The SHA-256 of everything the ids depend on.</param>
/// <param name="BytesPerId">2 or 4.</param>
/// <param name="BeginId">The id that stands before each document.</param>
/// <param name="Count">How many ids follow; there may be more bytes behind them, which do not count.</param>
/// <param name="Damaged">How many damaged records were passed over.</param>
/// <param name="Position">Where the corpus goes on after them.</param>
/// <param name="IsComplete">Whether that is its end.</param>
internal sealed record TokenFileHeader(byte[] Key, int BytesPerId, int BeginId, long Count, long Damaged, CorpusPosition Position, bool IsComplete)
{
    /// <summary>How long it is.</summary>
    public const int Bytes = 128;

    private const int Checked = 96;

    private static ReadOnlySpan<byte> Magic => "T2RTOK2\n"u8;

    /// <summary>The bytes that the ids take.</summary>
    public long IdBytes => Count * BytesPerId;

    /// <summary>Reads a header.</summary>
    /// <returns>Null where there is none, or not a whole one, or ids are missing behind it.</returns>
    public static TokenFileHeader? Read(Microsoft.Win32.SafeHandles.SafeFileHandle file)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        if (RandomAccess.Read(file, bytes, 0) < Bytes || !bytes.StartsWith(Magic) || !bytes[Checked..].SequenceEqual(SHA256.HashData(bytes[..Checked])))
        {
            return null;
        }

        var header = new TokenFileHeader(
            bytes[8..40].ToArray(),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[40..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[44..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[56..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[64..]),
            new CorpusPosition((int)BinaryPrimitives.ReadInt64LittleEndian(bytes[72..]), BinaryPrimitives.ReadInt64LittleEndian(bytes[80..])),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[48..]) != 0);
        long length = RandomAccess.GetLength(file) - Bytes;
        return length == header.IdBytes || (length > header.IdBytes && !header.IsComplete) ? header : null;
    }

    /// <summary>The header as it is written.</summary>
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[Bytes];
        Magic.CopyTo(bytes);
        Key.CopyTo(bytes, 8);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(40), BytesPerId);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(44), BeginId);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(48), IsComplete ? 1 : 0);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(56), Count);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(64), Damaged);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(72), Position.File);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(80), Position.Record);
        SHA256.HashData(bytes.AsSpan(0, Checked), bytes.AsSpan(Checked));
        return bytes;
    }
}
