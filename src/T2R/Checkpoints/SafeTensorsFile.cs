using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using Microsoft.Win32.SafeHandles;
using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>
/// A SafeTensors file, mapped and not read: opening it touches the header alone. Format: 8 bytes little-endian header length, the header (JSON), the data.
/// </summary>
public sealed class SafeTensorsFile : IDisposable
{
    private const int MaxHeaderBytes = 100_000_000, CopyBytes = 256 << 10;
    private readonly MappedFile _mapped;
    private readonly long _dataStart;
    private readonly Dictionary<string, TensorEntry> _byName;

    private SafeTensorsFile(string path, MappedFile mapped, long dataStart, SafeTensorsHeader header)
    {
        Path = path;
        _mapped = mapped;
        _dataStart = dataStart;
        Entries = header.Entries;
        Metadata = header.Metadata;
        _byName = header.Entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
    }

    /// <summary>The file, as it was given.</summary>
    public string Path { get; }

    /// <summary>The tensors in the order of their data.</summary>
    public ImmutableArray<TensorEntry> Entries { get; }

    /// <summary>The header's <c>__metadata__</c>; empty if it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensor of that name.</summary>
    /// <param name="name">A tensor's name.</param>
    /// <exception cref="UserErrorException">The file has none of that name.</exception>
    public TensorEntry this[string name] =>
        _byName.TryGetValue(name, out TensorEntry? entry) ? entry : throw new UserErrorException($"{Path}: there is no tensor '{name}' in the file.");

    /// <summary>Maps a file and validates its header: every length and offset.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The open file; dispose it when no view of it is used any more.</returns>
    /// <exception cref="UserErrorException">The file is missing, unreadable or not a valid SafeTensors file.</exception>
    public static SafeTensorsFile Open(string path)
    {
        long length = InputFile.Length(path);
        if (length < 8)
        {
            throw new UserErrorException($"{path}: {length} bytes, too short for a SafeTensors file; the download may be incomplete, fetch the file again.");
        }

        MappedFile mapped = MappedFile.Open(path);
        try
        {
            ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(mapped.Span(0, 8));
            if (mapped.Span(0, 8).SequenceEqual("version "u8))
            {
                throw new UserErrorException($"{path}: this is a Git LFS pointer, not the weights; run `git lfs pull` in its folder.");
            }

            if (headerLength is 0 or > MaxHeaderBytes)
            {
                throw new UserErrorException(
                    $"{path}: the header length is {headerLength} bytes, expected 1 to {MaxHeaderBytes}; it is not a SafeTensors file, or a damaged one.");
            }

            if ((long)headerLength > mapped.Length - 8)
            {
                throw new UserErrorException(
                    $"{path}: the header should have {headerLength} bytes and the file ends after {mapped.Length - 8} of them; "
                    + "the download may be incomplete, fetch the file again.");
            }

            long dataStart = 8 + (long)headerLength;
            var header = SafeTensorsHeader.Parse(path, mapped.Span(8, (int)headerLength), mapped.Length - dataStart);
            return new SafeTensorsFile(path, mapped, dataStart, header);
        }
        catch
        {
            mapped.Dispose();
            throw;
        }
    }

    /// <summary>Whether the file holds a tensor.</summary>
    /// <param name="name">A tensor's name.</param>
    /// <returns>True if it does.</returns>
    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <summary>
    /// A CPU tensor over the mapped file, without a copy (with one where the file does not align the data to its element size). It is valid while the
    /// file is open. Writing into it changes this view and never the file.
    /// </summary>
    /// <param name="name">A tensor's name.</param>
    /// <returns>The tensor, owned by the current dispose scope.</returns>
    /// <exception cref="UserErrorException">The file has none of that name.</exception>
    public Tensor View(string name)
    {
        ObjectDisposedException.ThrowIf(_mapped.IsClosed, this);
        TensorEntry entry = this[name];
        if (entry.ByteCount == 0)
        {
            return empty(entry.Shape.AsSpan(), entry.Dtype, CPU);
        }

        nint address = (nint)(_mapped.Address + _dataStart + entry.Offset);
        if (address % ElementType.Size(entry.Dtype) == 0)
        {
            return TensorMemory.FromMapped(address, entry.Shape.AsSpan(), entry.Dtype);
        }

        Tensor copy = empty(entry.Shape.AsSpan(), entry.Dtype, CPU);
        using Tensor from = TensorMemory.FromMapped(address, [entry.ByteCount], ScalarType.Byte);
        using Tensor to = TensorMemory.FromMapped(TensorMemory.DataPointer(copy), [entry.ByteCount], ScalarType.Byte);
        to.copy_(from);
        return copy;
    }

    /// <summary>A tensor's bytes over the mapped file, without a copy; valid while the file is open.</summary>
    /// <param name="name">A tensor's name.</param>
    /// <returns>Little-endian, row-major.</returns>
    /// <exception cref="UserErrorException">The file has none of that name.</exception>
    /// <exception cref="OverflowException">The tensor is larger than a span, 2 GiB; use <see cref="View"/>.</exception>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        TensorEntry entry = this[name];
        return _mapped.Span(_dataStart + entry.Offset, checked((int)entry.ByteCount));
    }

    /// <summary>
    /// Copies a tensor's bytes into another file, without libtorch and past the mapping. Two files' tensors are hardly ever aligned alike, and then whole pages of
    /// the target from a buffer that stays in the processor's cache are faster than page faults, and than letting the kernel copy between the files.
    /// </summary>
    internal void CopyTo(string name, SafeFileHandle to, long offset)
    {
        TensorEntry entry = this[name];
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        long from = _dataStart + entry.Offset, end = from + entry.ByteCount;
        while (from < end)
        {
            // Up to the target's next multiple of the buffer.
            int count = RandomAccess.Read(_mapped.File, buffer.AsSpan(0, (int)Math.Min(CopyBytes - (offset % CopyBytes), end - from)), from);
            if (count == 0)
            {
                throw new IOException($"{Path}: the file became shorter while tensor '{name}' was copied.");
            }

            RandomAccess.Write(to, buffer.AsSpan(0, count), offset);
            (from, offset) = (from + count, offset + count);
        }

        ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>Reads a part of a tensor's bytes past the mapping; threads may do so at once.</summary>
    /// <param name="entry">The tensor.</param>
    /// <param name="offset">First byte, counted in the tensor.</param>
    /// <param name="to">Filled.</param>
    /// <exception cref="IOException">The disk fails, or the file was cut off meanwhile.</exception>
    internal void Read(TensorEntry entry, long offset, Span<byte> to)
    {
        for (int done = 0; done < to.Length;)
        {
            int count = RandomAccess.Read(_mapped.File, to[done..], _dataStart + entry.Offset + offset + done);
            done += count > 0 ? count : throw new IOException($"{Path}: the file became shorter while tensor '{entry.Name}' was read.");
        }
    }

    /// <summary>Ends the mapping; views and spans of it must not be touched any more.</summary>
    public void Dispose() => _mapped.Dispose();
}
