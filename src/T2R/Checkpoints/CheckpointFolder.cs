using static TorchSharp.torch;

namespace T2R.Checkpoints;

/// <summary>
/// The weights in a Hugging Face folder: <c>model.safetensors</c>, or the shards that <c>model.safetensors.index.json</c> names. Opening reads headers only. An index
/// names files beside it and no others; links are followed wherever they lead, for a snapshot in Hugging Face's cache is made of links into <c>../../blobs</c>, and who
/// can make a link can read what it leads to.
/// </summary>
public sealed class CheckpointFolder : IDisposable
{
    internal const string SingleFileName = "model.safetensors";
    private readonly List<SafeTensorsFile> _files;
    private readonly OrderedDictionary<string, TensorEntry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SafeTensorsFile> _fileOf = new(StringComparer.Ordinal);

    private CheckpointFolder(string path, List<SafeTensorsFile> files)
    {
        Path = path;
        _files = files;
        foreach (SafeTensorsFile file in files)
        {
            foreach (TensorEntry entry in file.Entries)
            {
                _entries.Add(entry.Name, entry);
                _fileOf.Add(entry.Name, file);
            }
        }
    }

    /// <summary>The folder, as it was given.</summary>
    public string Path { get; }

    /// <summary>Every tensor by name; enumerated file by file in the order of the data, so that reading in this order is sequential.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Entries => _entries;

    /// <summary>The paths of the files, in the order of their names.</summary>
    public IEnumerable<string> Files => _files.Select(f => f.Path);

    /// <summary>Bytes of all tensors.</summary>
    public long TotalBytes => _entries.Values.Sum(e => e.ByteCount);

    /// <summary>Opens every weight file of a folder and checks that index and files agree.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>The open folder.</returns>
    /// <exception cref="UserErrorException">The folder or its weights are missing or wrong; holds every problem of every file.</exception>
    public static CheckpointFolder Open(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new UserErrorException(File.Exists(folder)
                ? $"{folder}: this is a file, expected the folder of a checkpoint (config.json and model.safetensors)."
                : $"{folder}: there is no such folder; check the path.");
        }

        string single = System.IO.Path.Combine(folder, SingleFileName);
        if (InputFile.IsThere(single))
        {
            return new CheckpointFolder(folder, [SafeTensorsFile.Open(single)]);
        }

        string index = System.IO.Path.Combine(folder, ShardIndex.FileName);
        return InputFile.IsThere(index) ? new CheckpointFolder(folder, Shards.Open(folder, index)) : throw WithoutWeights(folder);
    }

    /// <summary>Reads a tensor: see <see cref="SafeTensorsFile.Read(string)"/>.</summary>
    /// <param name="name">A tensor's name.</param>
    /// <returns>The tensor, owned by the current dispose scope.</returns>
    /// <exception cref="UserErrorException">The folder has none of that name.</exception>
    /// <exception cref="IOException">The disk fails, or a file was cut off meanwhile.</exception>
    public Tensor Read(string name) => Holding(name).Read(name);

    /// <summary>The path of the file that holds a tensor.</summary>
    /// <param name="name">A tensor's name.</param>
    /// <returns>The path.</returns>
    /// <exception cref="UserErrorException">The folder has none of that name.</exception>
    public string FileOf(string name) => Holding(name).Path;

    /// <summary>Closes the files.</summary>
    public void Dispose() => _files.ForEach(f => f.Dispose());

    /// <summary>The open file that holds a tensor.</summary>
    /// <exception cref="UserErrorException">The folder has none of that name.</exception>
    internal SafeTensorsFile Holding(string name) =>
        _fileOf.TryGetValue(name, out SafeTensorsFile? file) ? file : throw new UserErrorException($"{Path}: there is no tensor '{name}' in the checkpoint.");

    /// <summary>Whether two tensors have the same dtype, shape and bytes.</summary>
    /// <exception cref="IOException">The disk fails, or a file was cut off meanwhile.</exception>
    internal bool AreEqual(string name, string other)
    {
        TensorEntry a = Entries[name], b = Entries[other];
        if (a.Dtype != b.Dtype || !a.Shape.SequenceEqual(b.Shape))
        {
            return false;
        }

        const int pieceBytes = 256 << 10;
        byte[] ofA = new byte[pieceBytes], ofB = new byte[pieceBytes];
        for (long first = 0; first < a.ByteCount; first += pieceBytes)
        {
            int count = (int)Math.Min(pieceBytes, a.ByteCount - first);
            Holding(name).Read(a, first, ofA.AsSpan(0, count));
            Holding(other).Read(b, first, ofB.AsSpan(0, count));
            if (!ofA.AsSpan(0, count).SequenceEqual(ofB.AsSpan(0, count)))
            {
                return false;
            }
        }

        return true;
    }

    private static UserErrorException WithoutWeights(string folder)
    {
        string expected = $"expected {SingleFileName} or {ShardIndex.FileName}";
        string[] pickles = [.. Directory.EnumerateFiles(folder, "pytorch_model*.bin").Select(f => System.IO.Path.GetFileName(f)).Order()];
        if (pickles.Length > 0)
        {
            return new UserErrorException(
                $"{folder}: the weights are in the old pickle format ({pickles[0]}), {expected}; convert them once in Python: "
                + "AutoModelForCausalLM.from_pretrained(folder, dtype='auto').save_pretrained(new_folder, safe_serialization=True).");
        }

        if (Directory.EnumerateFiles(folder, "*.gguf").FirstOrDefault() is { } packed)
        {
            return new UserErrorException($"{folder}: the weights are in GGUF ({System.IO.Path.GetFileName(packed)}), {expected}; fetch the checkpoint that they were made of.");
        }

        string[] shards = [.. Directory.EnumerateFiles(folder, "*.safetensors").Select(f => System.IO.Path.GetFileName(f)).Order()];
        return new UserErrorException(shards.Length > 0
            ? $"{folder}: there is {shards[0]} but no index, {expected}; fetch {ShardIndex.FileName} too, or rename a single file to {SingleFileName}."
            : $"{folder}: there are no weights, {expected}; check the path, or fetch the checkpoint again.");
    }
}
