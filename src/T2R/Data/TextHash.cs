using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace T2R.Data;

/// <summary>The first 128 bits of the SHA-256 of a text's UTF-16 code units: the same on every machine and in every run.</summary>
/// <param name="High">The first 64 bits, big-endian.</param>
/// <param name="Low">The next 64 bits.</param>
internal readonly record struct TextHash(ulong High, ulong Low)
{
    public static TextHash Of(string text)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(MemoryMarshal.AsBytes(text.AsSpan()), hash);
        return OfDigest(hash);
    }

    /// <summary>The hash, given the SHA-256.</summary>
    public static TextHash OfDigest(ReadOnlySpan<byte> digest) => new(BinaryPrimitives.ReadUInt64BigEndian(digest), BinaryPrimitives.ReadUInt64BigEndian(digest[8..]));
}
