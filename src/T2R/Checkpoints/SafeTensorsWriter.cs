using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>
/// Writes a SafeTensors file whose tensors are known beforehand: the header at once, then each tensor when it comes, in any order. Nothing is held in memory.
/// Equal tensors give equal bytes, in whatever order they are planned and written: header and data have the order of the reference implementation (Rust's
/// safetensors), wider element types first, so that every tensor is aligned, then by name.
/// </summary>
public sealed class SafeTensorsWriter
{
    private const int PieceBytes = 256 << 10;
    private static readonly Comparer<byte[]> ByBytes = Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b));
    private readonly Stream _output;
    private readonly long _start;
    private readonly Dictionary<string, TensorEntry> _pending;

    /// <summary>Writes the header.</summary>
    /// <param name="output">A stream that can seek; best an unbuffered FileStream, for the writes are large. The caller disposes it.</param>
    /// <param name="plan">The tensors to come.</param>
    /// <param name="metadata">For <c>__metadata__</c>, in this order; null for none.</param>
    /// <exception cref="ArgumentException">A name occurs twice or is <c>__metadata__</c>.</exception>
    public SafeTensorsWriter(Stream output, IEnumerable<TensorSpec> plan, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(output);
        List<TensorEntry> entries = Layout(plan);
        _pending = entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
        byte[] header = Header(entries, metadata);
        output.Write(header);
        _output = output;
        _start = output.Position;
        DataBytes = entries.Sum(e => e.ByteCount);
    }

    /// <summary>Bytes of all tensors in the plan.</summary>
    public long DataBytes { get; }

    /// <summary>Whether every tensor of the plan has been written.</summary>
    public bool IsComplete => _pending.Count == 0;

    /// <summary>Writes a tensor from any device and of any strides, 4 MiB at a time; nothing is converted.</summary>
    /// <param name="name">Its name in the plan.</param>
    /// <param name="tensor">Of the plan's dtype and shape.</param>
    /// <exception cref="ArgumentException">The plan has no such tensor, or not of this dtype and shape, or it was written already.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public void Write(string name, Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        TensorEntry entry = Pending(name);
        if (tensor.dtype != entry.Dtype || !tensor.shape.AsSpan().SequenceEqual(entry.Shape.AsSpan()))
        {
            throw new ArgumentException(
                $"tensor '{name}' is {tensor.dtype} [{string.Join(',', tensor.shape)}], the plan says {entry.Dtype} [{string.Join(',', entry.Shape)}]", nameof(tensor));
        }

        _output.Position = _start + entry.Offset;
        TensorSlices.ForEach(tensor, _output.Write);
        _pending.Remove(name);
    }

    /// <summary>Writes a tensor of another file as it is, file to file. It needs no libtorch.</summary>
    /// <param name="name">Its name in the plan.</param>
    /// <param name="source">The file.</param>
    /// <param name="sourceName">Its name there; of the plan's dtype and shape.</param>
    /// <exception cref="ArgumentException">The plan has no such tensor, or not of this dtype and shape, or it was written already.</exception>
    /// <exception cref="InvalidOperationException">The output is not a file.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public void Copy(string name, SafeTensorsFile source, string sourceName)
    {
        ArgumentNullException.ThrowIfNull(source);
        TensorEntry entry = Pending(name), stored = source[sourceName];
        if (stored.Dtype != entry.Dtype || !stored.Shape.SequenceEqual(entry.Shape))
        {
            throw new ArgumentException(
                $"tensor '{sourceName}' is {stored.Dtype} [{string.Join(',', stored.Shape)}], the plan says {entry.Dtype} [{string.Join(',', entry.Shape)}]", nameof(sourceName));
        }

        source.CopyTo(sourceName, OutputFile(), _start + entry.Offset);
        _pending.Remove(name);
    }

    /// <summary>Writes a tensor that is made on the spot, in pieces of 256 KiB, each made and written by one of libtorch's CPU threads.</summary>
    /// <param name="name">Its name in the plan.</param>
    /// <param name="fill">Makes a piece, given its first byte, a multiple of 256 KiB, and where to put it; several threads call it.</param>
    /// <exception cref="ArgumentException">The plan has no such tensor, or it was written already.</exception>
    /// <exception cref="InvalidOperationException">The output is not a file.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public void Fill(string name, Action<long, Span<byte>> fill)
    {
        ArgumentNullException.ThrowIfNull(fill);
        TensorEntry entry = Pending(name);
        SafeFileHandle file = OutputFile();
        TorchThreads.ForEach(checked((int)((entry.ByteCount + PieceBytes - 1) / PieceBytes)), piece =>
        {
            long first = (long)piece * PieceBytes;
            byte[] buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
            Span<byte> bytes = buffer.AsSpan(0, (int)Math.Min(PieceBytes, entry.ByteCount - first));
            fill(first, bytes);
            RandomAccess.Write(file, bytes, _start + entry.Offset + first);
            ArrayPool<byte>.Shared.Return(buffer);
        });
        _pending.Remove(name);
    }

    /// <summary>Writes a tensor's bytes.</summary>
    /// <param name="name">Its name in the plan.</param>
    /// <param name="bytes">Little-endian, row-major, as many as the plan says.</param>
    /// <exception cref="ArgumentException">The plan has no such tensor, or not of this size, or it was written already.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public void Write(string name, ReadOnlySpan<byte> bytes)
    {
        TensorEntry entry = Pending(name);
        if (bytes.Length != entry.ByteCount)
        {
            throw new ArgumentException($"tensor '{name}' has {bytes.Length} bytes, the plan says {entry.ByteCount}", nameof(bytes));
        }

        _output.Position = _start + entry.Offset;
        _output.Write(bytes);
        _pending.Remove(name);
    }

    /// <summary>Ends the file; without this call it must not be used.</summary>
    /// <exception cref="InvalidOperationException">A tensor of the plan was not written.</exception>
    public void Finish()
    {
        if (!IsComplete)
        {
            throw new InvalidOperationException($"{_pending.Count} tensors of the plan were not written, such as '{_pending.Keys.First()}'");
        }

        _output.Flush();
    }

    private SafeFileHandle OutputFile() =>
        (_output as FileStream)?.SafeFileHandle ?? throw new InvalidOperationException("the output is not a file, which alone can be written at any place");

    private TensorEntry Pending(string name) =>
        _pending.TryGetValue(name, out TensorEntry? entry)
            ? entry
            : throw new ArgumentException($"tensor '{name}' is not in the plan, or was written already", nameof(name));

    private static List<TensorEntry> Layout(IEnumerable<TensorSpec> plan)
    {
        var entries = new List<TensorEntry>();
        long offset = 0;
        foreach (TensorSpec spec in plan.OrderByDescending(s => ElementType.Rank(s.Dtype)).ThenBy(s => Encoding.UTF8.GetBytes(s.Name), ByBytes))
        {
            if (spec.Name == SafeTensorsHeader.MetadataKey || spec.Shape.Any(size => size < 0))
            {
                throw new ArgumentException($"'{spec.Name}' [{string.Join(',', spec.Shape)}] cannot be a tensor in a SafeTensors file", nameof(plan));
            }

            entries.Add(new TensorEntry(spec.Name, spec.Dtype, spec.Shape, offset, spec.ByteCount));
            offset = checked(offset + spec.ByteCount);
        }

        return entries;
    }

    private static byte[] Header(List<TensorEntry> entries, IReadOnlyDictionary<string, string>? metadata)
    {
        using var stream = new MemoryStream();
        stream.Write(stackalloc byte[8]);
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject(SafeTensorsHeader.MetadataKey);
                foreach (var (key, value) in metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            foreach (TensorEntry entry in entries)
            {
                WriteEntry(json, entry);
            }

            json.WriteEndObject();
        }

        while (stream.Length % 8 != 0)
        {
            stream.WriteByte((byte)' ');
        }

        byte[] header = stream.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - 8);
        return header;
    }

    private static void WriteEntry(Utf8JsonWriter json, TensorEntry entry)
    {
        json.WriteStartObject(entry.Name);
        json.WriteString("dtype", ElementType.Name(entry.Dtype));
        json.WriteStartArray("shape");
        foreach (long size in entry.Shape)
        {
            json.WriteNumberValue(size);
        }

        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(entry.Offset);
        json.WriteNumberValue(entry.Offset + entry.ByteCount);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
