using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Microsoft.ML.Tokenizers;
using Microsoft.Win32.SafeHandles;
using T2R.Checkpoints;

namespace T2R.Data;

/// <summary>
/// The ids of a corpus' documents in one line, the beginning-of-sequence id before each. It takes 2 bytes an id while all ids fit, else 4, in a file or in memory. A file is
/// read piece by piece rather than mapped: from the system's cache that is as quick, and a file that is cut off meanwhile is an error instead of the end of the process.
/// </summary>
[SuppressMessage("Naming", "CA1711", Justification = "A stream of tokens is what the field calls it.")]
public sealed class TokenStream : IDisposable
{
    private const int PieceIds = 1 << 14;

    private readonly SafeFileHandle? _file;
    private readonly string _name = "";
    private readonly long _offset;
    private readonly byte[] _memory = [];
    private readonly int _bytesPerId;

    internal TokenStream(SafeFileHandle file, string name, long offset, int bytesPerId, long count, int beginId) =>
        (_file, _name, _offset, _bytesPerId, Count, BeginId) = (file, name, offset, bytesPerId, count, beginId);

    internal TokenStream(ushort[] ids, int beginId) =>
        (_memory, _bytesPerId, Count, BeginId) = (MemoryMarshal.AsBytes(ids.AsSpan()).ToArray(), sizeof(ushort), ids.Length, beginId);

    internal TokenStream(int[] ids, int beginId) =>
        (_memory, _bytesPerId, Count, BeginId) = (MemoryMarshal.AsBytes(ids.AsSpan()).ToArray(), sizeof(int), ids.Length, beginId);

    /// <summary>The id that stands before each document, and nowhere else.</summary>
    public int BeginId { get; }

    /// <summary>What the text is called, for messages.</summary>
    public string Name { get; init; } = "the text";

    /// <summary>How many ids there are.</summary>
    public long Count { get; }

    /// <summary>One id; for many, <see cref="CopyTo"/> is quicker.</summary>
    /// <param name="position">From 0 to <see cref="Count"/> − 1.</param>
    public int this[long position]
    {
        get
        {
            Span<long> id = stackalloc long[1];
            CopyTo(position, id);
            return (int)id[0];
        }
    }

    /// <summary>Copies consecutive ids.</summary>
    /// <param name="position">The position of the first.</param>
    /// <param name="ids">Filled to its end.</param>
    /// <exception cref="IOException">The file was cut off since it was opened, or the disk fails.</exception>
    public void CopyTo(long position, Span<long> ids)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ids.Length, Count - position, nameof(ids));
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Min(ids.Length, PieceIds) * _bytesPerId);
        try
        {
            while (!ids.IsEmpty)
            {
                Span<long> piece = ids[..Math.Min(ids.Length, PieceIds)];
                Span<byte> bytes = buffer.AsSpan(0, piece.Length * _bytesPerId);
                Read(position * _bytesPerId, bytes);
                Widen(bytes, piece);
                ids = ids[piece.Length..];
                position += piece.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Tokenizes a corpus into a temporary file, which goes with the stream. The result does not depend on the number of threads.</summary>
    /// <param name="corpus">The documents.</param>
    /// <param name="tokenizer">Must be safe for several threads and add no special ids by itself.</param>
    /// <param name="beginId">The beginning-of-sequence id.</param>
    /// <param name="work">How.</param>
    /// <returns>The stream; the caller disposes it.</returns>
    /// <exception cref="UserErrorException">A file cannot be read, more records are damaged than may be, or the corpus holds no document.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    /// <exception cref="OperationCanceledException">The work was stopped.</exception>
    public static TokenStream Build(ICorpus corpus, Tokenizer tokenizer, int beginId, TokenizingOptions? work = null)
    {
        string path = Path.Combine(Path.GetTempPath(), $"t2r-{Path.GetRandomFileName()}");
        SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        try
        {
            // Without a name the system removes it whenever this process ends, and however.
            File.Delete(path);
            DiskFull.Explain(path, () => TokenFile.Fill(file, new byte[32], corpus, tokenizer, beginId, work ?? new TokenizingOptions()));
            TokenFileHeader header = TokenFileHeader.Read(file)!;
            return new TokenStream(file, corpus.Name, TokenFileHeader.Bytes, header.BytesPerId, header.Count, beginId) { Name = corpus.Name };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens a file of token ids, little-endian unsigned 16-bit numbers without a header.</summary>
    /// <param name="path">The file.</param>
    /// <param name="beginId">The id that stands before each document.</param>
    /// <returns>The stream; the caller disposes it.</returns>
    /// <exception cref="UserErrorException">There is no such file, or its length is odd or 0.</exception>
    public static TokenStream FromFile(string path, int beginId)
    {
        long length = InputFile.Length(path);
        return length > 0 && length % sizeof(ushort) == 0
            ? new TokenStream(File.OpenHandle(path), path, 0, sizeof(ushort), length / sizeof(ushort), beginId) { Name = path }
            : throw new UserErrorException($"{path} holds {length} bytes; expected token ids of 2 bytes each, at least one.");
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private void Read(long offset, Span<byte> bytes)
    {
        if (_file is null)
        {
            _memory.AsSpan((int)offset, bytes.Length).CopyTo(bytes);
            return;
        }

        try
        {
            FileBytes.Read(_file, bytes, _offset + offset);
        }
        catch (EndOfStreamException e)
        {
            throw new IOException($"{_name} was cut off while it was in use: it had {Count} ids. The same command makes it anew.", e);
        }
    }

    private void Widen(ReadOnlySpan<byte> bytes, Span<long> ids)
    {
        if (_bytesPerId == sizeof(ushort))
        {
            ReadOnlySpan<ushort> narrow = MemoryMarshal.Cast<byte, ushort>(bytes)[..ids.Length];
            for (int i = 0; i < ids.Length; i++)
            {
                ids[i] = narrow[i];
            }
        }
        else
        {
            ReadOnlySpan<int> wide = MemoryMarshal.Cast<byte, int>(bytes)[..ids.Length];
            for (int i = 0; i < ids.Length; i++)
            {
                ids[i] = wide[i];
            }
        }
    }
}
