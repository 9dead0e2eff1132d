using System.Buffers;
using System.Security.Cryptography;

namespace T2R.Data;

/// <summary>The SHA-256 of a file.</summary>
internal static class FileHash
{
    private const int PieceBytes = 1 << 20;

    public static byte[] Of(string path, Action<int>? read = null, CancellationToken cancellation = default)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
        byte[] piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            for (int count = file.Read(piece); count > 0; count = file.Read(piece))
            {
                cancellation.ThrowIfCancellationRequested();
                hash.AppendData(piece.AsSpan(0, count));
                read?.Invoke(count);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }

        return hash.GetHashAndReset();
    }
}
