using T2R.Interop;
using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>
/// Writes the weights of a Hugging Face folder: <c>model.safetensors</c> if they fit in one file, else shards <c>model-00001-of-0000N.safetensors</c>,
/// filled in the plan's order, and their index.
/// </summary>
public sealed class CheckpointWriter : IDisposable
{
    /// <summary>The size of a shard unless told otherwise: 5 GB.</summary>
    public const long DefaultShardBytes = 5_000_000_000;

    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };
    private readonly StagedFolder _folder;
    private readonly List<Shard> _shards;
    private readonly Dictionary<string, Shard> _shardOf = new(StringComparer.Ordinal);

    /// <summary>Plans the files and checks that the disk has room; writes nothing yet.</summary>
    /// <param name="folder">Where to write; the caller commits it.</param>
    /// <param name="plan">Every tensor of the checkpoint.</param>
    /// <param name="maxShardBytes">Tensor bytes in a file; a larger tensor has a file of its own.</param>
    /// <exception cref="ArgumentException">A name occurs twice.</exception>
    /// <exception cref="IOException">There is not enough room on the disk.</exception>
    public CheckpointWriter(StagedFolder folder, IReadOnlyCollection<TensorSpec> plan, long maxShardBytes = DefaultShardBytes)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(plan);
        _folder = folder;
        TotalBytes = plan.Aggregate(0L, (sum, spec) => checked(sum + spec.ByteCount));
        folder.EnsureSpace(TotalBytes);
        List<List<TensorSpec>> groups = Group(plan, maxShardBytes);
        _shards = [.. groups.Select((specs, i) => new Shard(FileName(i, groups.Count), specs))];
        foreach (Shard shard in _shards)
        {
            foreach (TensorSpec spec in shard.Specs)
            {
                _shardOf.Add(spec.Name, shard);
            }
        }
    }

    /// <summary>Bytes of all tensors.</summary>
    public long TotalBytes { get; }

    /// <summary>Writes a tensor of the plan: see <see cref="SafeTensorsWriter.Write(string, Tensor)"/>.</summary>
    /// <param name="name">Its name in the plan.</param>
    /// <param name="tensor">Of the plan's dtype and shape; any device, any strides.</param>
    /// <exception cref="ArgumentException">The plan has no such tensor, or not of this dtype and shape, or it was written already.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public void Write(string name, Tensor tensor) => Put(name, writer => writer.Write(name, tensor));

    /// <summary>Writes a tensor of the plan as another checkpoint holds it: see <see cref="SafeTensorsWriter.Copy"/>.</summary>
    /// <param name="name">Its name in the plan.</param>
    /// <param name="source">The other checkpoint.</param>
    /// <param name="sourceName">Its name there; of the plan's dtype and shape.</param>
    /// <exception cref="ArgumentException">The plan has no such tensor, or not of this dtype and shape, or it was written already.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public void Copy(string name, CheckpointFolder source, string sourceName)
    {
        ArgumentNullException.ThrowIfNull(source);
        Put(name, writer => writer.Copy(name, source.Holding(sourceName), sourceName));
    }

    /// <summary>Writes a tensor of the plan that is made on the spot: see <see cref="SafeTensorsWriter.Fill"/>.</summary>
    /// <param name="name">Its name in the plan.</param>
    /// <param name="fill">Makes a piece of it, given the piece's first byte; several threads call it.</param>
    /// <exception cref="ArgumentException">The plan has no such tensor, or it was written already.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public void Fill(string name, Action<long, Span<byte>> fill) => Put(name, writer => writer.Fill(name, fill));

    /// <summary>Ends the files and writes the index if there are several.</summary>
    /// <exception cref="InvalidOperationException">A tensor of the plan was not written.</exception>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public void Finish()
    {
        // Written already, all of them; or the checkpoint has no tensors; or Finish throws.
        foreach (Shard shard in _shards.Where(s => !s.Done))
        {
            DiskFull.Explain(_folder.Target, () => OpenWriter(shard).Finish());
            CloseIfComplete(shard);
        }

        if (_shards.Count > 1)
        {
            string index = ShardIndex.Format(_shardOf.Select(pair => (pair.Key, pair.Value.FileName)), TotalBytes);
            DiskFull.Explain(_folder.Target, () => File.WriteAllText(Path.Combine(_folder.Path, ShardIndex.FileName), index));
        }
    }

    /// <summary>Closes files that are still open.</summary>
    public void Dispose() => _shards.ForEach(s => s.Stream?.Dispose());

    private void Put(string name, Action<SafeTensorsWriter> put)
    {
        if (!_shardOf.TryGetValue(name, out Shard? shard))
        {
            throw new ArgumentException($"tensor '{name}' is not in the plan", nameof(name));
        }

        DiskFull.Explain(_folder.Target, () =>
        {
            put(OpenWriter(shard));
            if (_folder.Flushes)
            {
                Posix.BeginSync(shard.Stream!.SafeFileHandle);
            }

            CloseIfComplete(shard);
        });
    }

    private SafeTensorsWriter OpenWriter(Shard shard)
    {
        if (shard.Writer is null && !shard.Done)
        {
            shard.Stream = new FileStream(Path.Combine(_folder.Path, shard.FileName), FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
            shard.Writer = new SafeTensorsWriter(shard.Stream, shard.Specs, Metadata);
        }

        return shard.Writer ?? throw new ArgumentException($"every tensor of {shard.FileName} was written already");
    }

    private static void CloseIfComplete(Shard shard)
    {
        if (shard.Writer is { IsComplete: true } writer)
        {
            writer.Finish();
            shard.Stream!.Dispose();
            shard.Writer = null;
            shard.Done = true;
        }
    }

    private static List<List<TensorSpec>> Group(IEnumerable<TensorSpec> plan, long maxShardBytes)
    {
        List<List<TensorSpec>> groups = [[]];
        long filled = 0;
        foreach (TensorSpec spec in plan)
        {
            if (filled > 0 && filled + spec.ByteCount > maxShardBytes)
            {
                groups.Add([]);
                filled = 0;
            }

            groups[^1].Add(spec);
            filled += spec.ByteCount;
        }

        return groups;
    }

    private static string FileName(int index, int count) =>
        count == 1 ? CheckpointFolder.SingleFileName : $"model-{index + 1:D5}-of-{count:D5}.safetensors";

    private sealed record Shard(string FileName, List<TensorSpec> Specs)
    {
        internal FileStream? Stream { get; set; }

        internal SafeTensorsWriter? Writer { get; set; }

        internal bool Done { get; set; }
    }
}
