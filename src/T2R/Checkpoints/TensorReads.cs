using T2R.Interop;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>
/// Reads tensors from SafeTensors files into tensors that are there already, of the same shape; another dtype is converted. What goes to a card is read by
/// several threads and copied through pinned buffers (<see cref="BulkCopy"/>), and converted there; the rest is read in place, or converted a piece at a time.
/// </summary>
internal sealed class TensorReads
{
    // Bytes of the card that hold what is still to be converted.
    private const long StagedBytes = 512 << 20;

    // Bytes on the CPU that are read before they are converted.
    private const long PieceBytes = 16 << 20;

    private readonly List<Read> _reads = [];

    /// <summary>Plans to read a tensor, or some rows of it.</summary>
    /// <param name="file">Where it is; open until <see cref="Run"/> is done.</param>
    /// <param name="name">Its name there.</param>
    /// <param name="target">Overwritten; contiguous.</param>
    /// <param name="firstRow">Which row the target's first one is.</param>
    /// <exception cref="UserErrorException">The file has no such tensor, or not of this shape.</exception>
    public void Add(SafeTensorsFile file, string name, Tensor target, long firstRow = 0)
    {
        TensorEntry entry = file[name];
        long[] shape = target.shape;
        bool isWhole = entry.Shape.AsSpan().SequenceEqual(shape);
        if (!isWhole && !(entry.Shape.Length > 0 && shape.Length == entry.Shape.Length && entry.Shape.AsSpan()[1..].SequenceEqual(shape.AsSpan(1)) && firstRow + shape[0] <= entry.Shape[0]))
        {
            throw new UserErrorException($"{file.Path}: tensor '{name}' has shape [{string.Join(", ", entry.Shape)}], expected [{string.Join(", ", shape)}].");
        }

        long byteCount = target.numel() * ElementType.Size(entry.Dtype);
        _reads.Add(new Read(file, entry, isWhole ? 0 : firstRow * (byteCount / Math.Max(1, shape[0])), byteCount, target));
    }

    /// <summary>Reads everything planned.</summary>
    /// <exception cref="IOException">The disk fails, or a file was cut off meanwhile.</exception>
    public void Run()
    {
        using var gradients = no_grad();
        var batch = new List<Read>();
        long staged = 0;
        foreach (Read read in _reads)
        {
            if (read.Target.device_type != TorchSharp.DeviceType.CUDA)
            {
                ToMemory(read);
                continue;
            }

            staged += read.IsConverted ? read.ByteCount : 0;
            if (staged > StagedBytes && batch.Count > 0)
            {
                ToCard(batch);
                batch.Clear();
                staged = read.IsConverted ? read.ByteCount : 0;
            }

            batch.Add(read);
        }

        ToCard(batch);
        _reads.Clear();
    }

    private static void ToMemory(Read read)
    {
        if (!read.IsConverted)
        {
            read.File.Read(read.Entry, read.Offset, read.Target);
            return;
        }

        using var scope = NewDisposeScope();
        int size = ElementType.Size(read.Entry.Dtype);
        long count = read.Target.numel();
        Tensor target = read.Target.view(-1), piece = empty(Math.Min(count, PieceBytes / size), read.Entry.Dtype);
        for (long first = 0; first < count; first += piece.numel())
        {
            using var pieceScope = NewDisposeScope();
            var part = piece.narrow(0, 0, Math.Min(piece.numel(), count - first));
            read.File.Read(read.Entry, read.Offset + (first * size), part);
            target.narrow(0, first, part.numel()).copy_(part);
        }
    }

    private static void ToCard(List<Read> batch)
    {
        if (batch.Count == 0)
        {
            return;
        }

        using var scope = NewDisposeScope();
        Tensor[] landing = [.. batch.Select(r => r.IsConverted ? empty(r.Target.shape, r.Entry.Dtype, r.Target.device) : r.Target)];
        BulkCopy.ToDevice(
            batch[0].Target.device_index,
            [.. batch.Select((r, i) => (TensorMemory.DataPointer(landing[i]), r.ByteCount))],
            (i, offset, piece) => batch[i].File.Read(batch[i].Entry, batch[i].Offset + offset, piece));
        foreach (var (read, landed) in batch.Zip(landing).Where(p => p.First.IsConverted))
        {
            read.Target.copy_(landed);
        }
    }

    private sealed record Read(SafeTensorsFile File, TensorEntry Entry, long Offset, long ByteCount, Tensor Target)
    {
        internal bool IsConverted => Target.dtype != Entry.Dtype;
    }
}
