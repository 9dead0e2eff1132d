using Microsoft.Win32.SafeHandles;

namespace T2R.Data;

/// <summary>Reading at a place in a file.</summary>
internal static class FileBytes
{
    /// <summary>Fills a buffer.</summary>
    /// <exception cref="EndOfStreamException">The file ends before.</exception>
    public static void Read(SafeFileHandle file, Span<byte> bytes, long offset)
    {
        while (!bytes.IsEmpty)
        {
            int read = RandomAccess.Read(file, bytes, offset);
            if (read == 0)
            {
                throw new EndOfStreamException();
            }

            bytes = bytes[read..];
            offset += read;
        }
    }
}
