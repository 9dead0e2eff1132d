using System.Security.Cryptography;
using System.Text;

namespace T2R.Checkpoints;

/// <summary>
/// Tells one model's weights from another's without reading them all: the SHA-256, over all tensors in the order of their names, of name, dtype, shape and three samples
/// of at most 4 096 bytes, from the tensor's beginning, middle and end. Training moves every number, so models that were trained apart differ in it; how the tensors
/// are spread over files does not matter. It is no proof that every byte is the same.
/// </summary>
internal static class WeightsFingerprint
{
    private const int SampleBytes = 4096;

    /// <summary>The fingerprint of a folder's weights, in hexadecimal.</summary>
    /// <exception cref="IOException">The disk fails.</exception>
    public static string Of(CheckpointFolder folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] sample = new byte[SampleBytes];
        foreach (TensorEntry entry in folder.Entries.Values.OrderBy(e => e.Name, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{entry.Name}\n{ElementType.Name(entry.Dtype)}\n{string.Join(',', entry.Shape)}\n"));
            var bytes = sample.AsSpan(0, (int)Math.Min(SampleBytes, entry.ByteCount));
            long last = entry.ByteCount - bytes.Length;
            foreach (long offset in (long[])[0, last / 2, last])
            {
                folder.Holding(entry.Name).Read(entry, offset, bytes);
                hash.AppendData(bytes);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
