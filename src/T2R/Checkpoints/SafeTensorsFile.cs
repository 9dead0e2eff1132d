using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using Microsoft.Win32.SafeHandles;
using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>
/// A SafeTensors file: opening it reads the header alone, tensors are read when they are asked for. Format: 8 bytes little-endian header length, the header (JSON),
/// the data. Nothing is mapped: a file that is cut off while it is open makes a read fail in words, where touching a mapped page that is gone would kill the process.
/// </summary>
public sealed class SafeTensorsFile : IDisposable
{
    private const int MaxHeaderBytes = 100_000_000, PieceBytes = 256 << 10;
    private readonly SafeFileHandle _file;
    private readonly long _dataStart;
    private readonly Dictionary<string, TensorEntry> _byName;

    private SafeTensorsFile(string path, SafeFileHandle file, long dataStart, SafeTensorsHeader header)
    {
        Path = path;
        _file = file;
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

    /// <summary>Opens a file and validates its header: every length and offset.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The open file.</returns>
    /// <exception cref="UserErrorException">The file is missing, unreadable or not a valid SafeTensors file.</exception>
    /// <exception cref="IOException">The disk fails.</exception>
    public static SafeTensorsFile Open(string path)
    {
        SafeFileHandle file = InputFile.Open(path);
        try
        {
            long length = RandomAccess.GetLength(file);
            if (length < 8)
            {
                throw new UserErrorException($"{path}: {length} bytes, too short for a SafeTensors file; the download may be incomplete, fetch the file again.");
            }

            byte[] start = new byte[8];
            ReadAt(path, file, 0, start, "its header");
            InputFile.RefusePointer(path, start);
            ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(start);
            if (headerLength is 0 or > MaxHeaderBytes)
            {
                throw new UserErrorException(
                    $"{path}: the header length is {headerLength} bytes, expected 1 to {MaxHeaderBytes}; it is not a SafeTensors file, or a damaged one.");
            }

            long dataStart = 8 + (long)headerLength;
            if (dataStart > length)
            {
                throw new UserErrorException(
                    $"{path}: the header should have {headerLength} bytes and the file ends after {length - 8} of them; "
                    + "the download may be incomplete, fetch the file again.");
            }

            byte[] header = new byte[headerLength];
            ReadAt(path, file, 8, header, "its header");
            return new SafeTensorsFile(path, file, dataStart, SafeTensorsHeader.Parse(path, header, length - dataStart));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether the file holds a tensor.</summary>
    /// <param name="name">A tensor's name.</param>
    /// <returns>True if it does.</returns>
    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <summary>Reads a tensor into memory of its own.</summary>
    /// <param name="name">A tensor's name.</param>
    /// <returns>A CPU tensor of the stored dtype and shape, owned by the current dispose scope.</returns>
    /// <exception cref="UserErrorException">The file has none of that name.</exception>
    /// <exception cref="IOException">The disk fails, or the file was cut off meanwhile.</exception>
    public Tensor Read(string name)
    {
        TensorEntry entry = this[name];
        Tensor tensor = TensorMemory.ToBeFilled(entry.Shape.AsSpan(), entry.Dtype);
        Read(entry, 0, tensor);
        return tensor;
    }

    /// <summary>Reads a tensor's bytes.</summary>
    /// <param name="name">A tensor's name.</param>
    /// <returns>Little-endian, row-major.</returns>
    /// <exception cref="UserErrorException">The file has none of that name.</exception>
    /// <exception cref="OverflowException">The tensor is larger than an array, 2 GiB; use <see cref="Read(string)"/>.</exception>
    /// <exception cref="IOException">The disk fails, or the file was cut off meanwhile.</exception>
    public byte[] ReadBytes(string name)
    {
        TensorEntry entry = this[name];
        byte[] bytes = new byte[checked((int)entry.ByteCount)];
        Read(entry, 0, bytes);
        return bytes;
    }

    /// <summary>Copies a tensor's bytes into another file, without libtorch: through a buffer that stays in the processor's cache.</summary>
    internal void CopyTo(string name, SafeFileHandle to, long offset)
    {
        TensorEntry entry = this[name];
        byte[] buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        for (long from = 0; from < entry.ByteCount;)
        {
            // Up to the target's next multiple of the buffer.
            var piece = buffer.AsSpan(0, (int)Math.Min(PieceBytes - (offset % PieceBytes), entry.ByteCount - from));
            Read(entry, from, piece);
            RandomAccess.Write(to, piece, offset);
            (from, offset) = (from + piece.Length, offset + piece.Length);
        }

        ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>Fills a tensor with as many of another's stored bytes, by libtorch's CPU threads.</summary>
    /// <param name="entry">The stored tensor.</param>
    /// <param name="offset">First byte, counted in it.</param>
    /// <param name="to">Overwritten; contiguous, on the CPU, of the stored dtype or of bytes.</param>
    /// <exception cref="IOException">The disk fails, or the file was cut off meanwhile.</exception>
    internal void Read(TensorEntry entry, long offset, Tensor to)
    {
        long count = to.numel() * to.element_size();
        TorchThreads.ForEach(checked((int)((count + PieceBytes - 1) / PieceBytes)), piece =>
        {
            long first = (long)piece * PieceBytes;
            Read(entry, offset + first, TensorMemory.Bytes(to, first, (int)Math.Min(PieceBytes, count - first)));
        });
    }

    /// <summary>Reads a part of a tensor's bytes; threads may do so at once.</summary>
    /// <param name="entry">The tensor.</param>
    /// <param name="offset">First byte, counted in the tensor.</param>
    /// <param name="to">Filled.</param>
    /// <exception cref="IOException">The disk fails, or the file was cut off meanwhile.</exception>
    internal void Read(TensorEntry entry, long offset, Span<byte> to)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(to.Length, entry.ByteCount - offset);
        ReadAt(Path, _file, _dataStart + entry.Offset + offset, to, $"tensor '{entry.Name}'");
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private static void ReadAt(string path, SafeFileHandle file, long offset, Span<byte> to, string what)
    {
        for (int done = 0; done < to.Length;)
        {
            int count = RandomAccess.Read(file, to[done..], offset + done);
            done += count > 0
                ? count
                : throw new IOException($"{path}: the file became shorter while {what} was read: it ends before byte {offset + to.Length}; something else writes to it, let that end and fetch the file again.");
        }
    }
}
