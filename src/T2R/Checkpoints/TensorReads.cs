using T2R.Interop;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>
/// Reads tensors from SafeTensors files into tensors that are there already, of the same shape; another dtype is converted. What goes to a card is read past the
/// mapping by several threads and copied through pinned buffers (<see cref="BulkCopy"/>), and converted there; the rest is copied from the mapped files.
/// </summary>
internal sealed class TensorReads
{
    // Bytes of the card that hold what is still to be converted.
    private const long StagedBytes = 512 << 20;

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
        _reads.Add(new Read(file, entry, isWhole ? null : firstRow, isWhole ? 0 : firstRow * (byteCount / Math.Max(1, shape[0])), byteCount, target));
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
                CopyFromMapping(read);
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

    private static void CopyFromMapping(Read read)
    {
        using var scope = NewDisposeScope();
        var whole = read.File.View(read.Entry.Name);
        read.Target.copy_(read.FirstRow is { } first ? whole.narrow(0, first, read.Target.shape[0]) : whole);
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

    private sealed record Read(SafeTensorsFile File, TensorEntry Entry, long? FirstRow, long Offset, long ByteCount, Tensor Target)
    {
        internal bool IsConverted => Target.dtype != Entry.Dtype;
    }
}
