using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.Tokenizers;
using T2R.Checkpoints;

namespace T2R.Data;

/// <summary>
/// Keeps a tokenized corpus in a file, so that resuming a run does not tokenize again. The file is a header of 64 bytes (8 of magic, 32 of the SHA-256 of
/// everything the ids depend on, bytes per id and beginning id as int32, count as int64, zeros) and the ids, all little-endian.
/// </summary>
public static class TokenCache
{
    private const int HeaderBytes = 64;

    private static ReadOnlySpan<byte> Magic => "T2RTOK1\n"u8;

    /// <summary>Reads the file if it was made from this corpus with this tokenizer, else tokenizes and writes it.</summary>
    /// <param name="path">The file; its folder is made if need be.</param>
    /// <param name="corpus">The documents.</param>
    /// <param name="tokenizer">As for <see cref="TokenStream.Build"/>.</param>
    /// <param name="tokenizerHash">Tells this tokenizer from others: a hash of its file.</param>
    /// <param name="beginId">The beginning-of-sequence id.</param>
    /// <param name="accept">Given ids that were made anew before they are written; may throw, and the file stays as it was.</param>
    /// <param name="progress">Hears of tokenizing, if it is needed.</param>
    /// <param name="threads">How many threads tokenize; by default as many as there are cores.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <returns>The stream.</returns>
    /// <exception cref="UserErrorException">A source file is damaged, or the corpus holds no document.</exception>
    /// <exception cref="IOException">The file could not be written; what was there before is as it was.</exception>
    public static TokenStream LoadOrBuild(
        string path,
        ICorpus corpus,
        Tokenizer tokenizer,
        string tokenizerHash,
        int beginId,
        Action<TokenStream>? accept = null,
        IProgress<StageProgress>? progress = null,
        int? threads = null,
        CancellationToken cancellation = default)
    {
        byte[] key = SHA256.HashData(Encoding.UTF8.GetBytes($"{corpus.Fingerprint()}\n{tokenizerHash}\n{beginId}"));
        if (TryLoad(path, key) is { } kept)
        {
            return kept;
        }

        TokenStream built = TokenStream.Build(corpus, tokenizer, beginId, progress, threads, cancellation);
        accept?.Invoke(built);
        Save(path, key, built);
        return built;
    }

    private static TokenStream? TryLoad(string path, ReadOnlySpan<byte> key)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using FileStream file = File.OpenRead(path);
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (file.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes || !header.StartsWith(Magic) || !header[8..40].SequenceEqual(key))
        {
            return null;
        }

        int width = BinaryPrimitives.ReadInt32LittleEndian(header[40..]);
        int beginId = BinaryPrimitives.ReadInt32LittleEndian(header[44..]);
        long count = BinaryPrimitives.ReadInt64LittleEndian(header[48..]);
        if (width is not (2 or 4) || count < 0 || count > int.MaxValue / width || file.Length != HeaderBytes + (count * width))
        {
            return null;
        }

        if (width == 2)
        {
            var narrow = new ushort[count];
            file.ReadExactly(MemoryMarshal.AsBytes(narrow.AsSpan()));
            return new TokenStream(narrow, beginId);
        }

        var wide = new int[count];
        file.ReadExactly(MemoryMarshal.AsBytes(wide.AsSpan()));
        return new TokenStream(wide, beginId);
    }

    private static void Save(string path, ReadOnlySpan<byte> key, TokenStream stream)
    {
        byte[] header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        key.CopyTo(header.AsSpan(8));
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(40), stream.BytesPerId);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(44), stream.BeginId);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(48), stream.Count);

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        AtomicFile.Write(path, file =>
        {
            file.Write(header);
            file.Write(stream.Bytes);
        });
    }
}
