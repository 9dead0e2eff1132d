using T2R.Checkpoints;
using T2R.Interop;
using T2R.Ops.Quantized;
using T2R.Tokenization;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>A model's folder on disk, opened and checked; its weights stay in the files until they are asked for.</summary>
public sealed class ModelFolder : IDisposable
{
    private const int NamedPieces = 5;

    private readonly CheckpointFolder _checkpoint;
    private readonly IReadOnlyDictionary<string, StoredWeight> _stored;

    private ModelFolder(
        string path, IFolderFormat format, ModelConfig config, CheckpointFolder checkpoint, IReadOnlyDictionary<string, StoredWeight> stored, IReadOnlyList<string> warnings)
    {
        (Path, Format, Config, _checkpoint, _stored, Warnings) = (path, format, config, checkpoint, stored, warnings);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Its format.</summary>
    public IFolderFormat Format { get; }

    /// <summary>The model's shape.</summary>
    public ModelConfig Config { get; }

    /// <summary>What is odd and does no harm, such as a config key that T2R does not know.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>Bytes of all stored tensors.</summary>
    public long TotalBytes => _checkpoint.TotalBytes;

    /// <summary>Tells these weights from another model's without reading them all: the SHA-256 of every tensor's name, dtype, shape and 12 kB of its bytes.</summary>
    /// <exception cref="IOException">The disk fails.</exception>
    public string Fingerprint() => WeightsFingerprint.Of(_checkpoint);

    /// <summary>Every stored tensor by the format's name, those that say nothing (<see cref="IFolderFormat.Ignores"/>) and a stored tied head included.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors => _checkpoint.Entries;

    /// <summary>The paths of the weight files, those that the index names and no others that lie there.</summary>
    public IEnumerable<string> WeightFiles => _checkpoint.Files;

    /// <summary>The open weight files.</summary>
    internal CheckpointFolder Checkpoint => _checkpoint;

    /// <summary>dtype of the stored embedding, taken as the folder's own.</summary>
    public ScalarType Dtype => _checkpoint.Entries[_stored[WeightLayout.Embedding].TensorName].Dtype;

    /// <summary>Opens a folder and checks config against weights.</summary>
    /// <param name="path">Holds config.json and model.safetensors, or shards with their index.</param>
    /// <exception cref="UserErrorException">What is wrong, all of it: keys that are missing or not supported, tensors that are missing, left over or of another shape.</exception>
    public static ModelFolder Open(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new UserErrorException(File.Exists(path)
                ? $"{path}: is a file; expected the folder that holds config.json and the weights."
                : $"{path}: no such folder; expected a Hugging Face folder with config.json and model.safetensors. T2R downloads nothing: fetch a model first.");
        }

        string snapshots = System.IO.Path.Combine(path, "snapshots");
        if (!File.Exists(System.IO.Path.Combine(path, "config.json")) && Directory.Exists(snapshots) && Directory.GetDirectories(snapshots) is [var snapshot, ..])
        {
            throw new UserErrorException($"{path}: has no config.json; it is a model's folder in Hugging Face's cache, and the model is in {snapshot}.");
        }

        var problems = new Problems();
        var json = problems.Try(() => ConfigJson.Open(System.IO.Path.Combine(path, "config.json"), problems));
        var format = json is null ? null : FolderFormats.Of(json);
        var config = json is null ? null : format?.ReadConfig(json, problems);
        var checkpoint = problems.Try(() => CheckpointFolder.Open(path));
        try
        {
            var stored = config is null || checkpoint is null ? null : StoredWeights.Locate(config, format!, checkpoint, problems);
            problems.ThrowIfAny();
            string[] warnings = [.. json!.UnreadKeys.Select(k => $"{json.Path}: key '{k}' is not known to T2R and has no effect.")];
            var folder = new ModelFolder(path, format!, config!, checkpoint!, stored!, warnings);
            folder.CheckTiedHead();
            return folder;
        }
        catch
        {
            checkpoint?.Dispose();
            throw;
        }
    }

    /// <summary>Opens the tokenizer that lies beside the weights.</summary>
    /// <exception cref="UserErrorException">There is none, it is damaged or not supported, or it has ids that the model does not have.</exception>
    public TextTokenizer OpenTokenizer()
    {
        var tokenizer = TokenizerFolder.Open(Path);
        int beyond = tokenizer.VocabularySize - Config.VocabularySize;
        if (beyond <= 0)
        {
            return tokenizer;
        }

        string names = string.Join(", ", Enumerable.Range(Config.VocabularySize, Math.Min(beyond, NamedPieces)).Select(id => $"'{tokenizer[id].Name}' ({id})"));
        throw new UserErrorException(
            $"{Path}: the tokenizer has {tokenizer.VocabularySize} pieces and the model {Config.VocabularySize} (vocab_size in config.json); they do not belong together, or tokens were added that the model has no rows for: {names}{(beyond > NamedPieces ? " and more" : "")}. Take the tokenizer's files that came with the weights, or such tokens out of them (added_tokens.json, tokenizer.json).");
    }

    /// <summary>The ids that begin and end a text.</summary>
    /// <param name="tokenizer">The folder's (<see cref="OpenTokenizer"/>); null if there is none.</param>
    /// <exception cref="UserErrorException">generation_config.json is damaged, or the id that begins a text is none of the model's.</exception>
    public BoundaryIds Boundaries(TextTokenizer? tokenizer) => BoundaryIds.Of(Config, tokenizer, Path);

    /// <summary>Reads a weight as it is stored, into a CPU tensor of its own, owned by the current dispose scope.</summary>
    /// <param name="spec">Which weight.</param>
    /// <exception cref="UserErrorException">It is in few bits.</exception>
    /// <exception cref="IOException">The disk fails, or a file was cut off meanwhile.</exception>
    public Tensor Read(WeightSpec spec)
    {
        if (IsQuantized(spec))
        {
            throw new UserErrorException($"{Path}: holds {Config.Quantization} weights, which can be run and nothing else; take the folder that they were made of.");
        }

        var stored = _stored[spec.Name];
        var weight = TensorMemory.ToBeFilled(spec.Shape.AsSpan(), Tensors[stored.TensorName].Dtype);
        var reads = new TensorReads();
        reads.Add(_checkpoint.Holding(stored.TensorName), stored.TensorName, weight, stored.FirstRow);
        reads.Run();
        return weight;
    }

    /// <summary>Where a weight lies.</summary>
    /// <param name="spec">Which weight.</param>
    public StoredWeight Stored(WeightSpec spec) => _stored[spec.Name];

    /// <summary>Loads the weights by several threads, to a card through pinned buffers, as fast as disk and bus allow.</summary>
    /// <param name="device">Where to.</param>
    /// <param name="dtype">Of the plain matrices; norms are fp32, or fp64 with fp64 matrices.</param>
    /// <param name="quantization">What the blocks' matrices are held in; null for what they are stored in: numbers of <paramref name="dtype"/>, or few bits already.</param>
    /// <exception cref="UserErrorException">They cannot be held so.</exception>
    /// <exception cref="IOException">The disk fails.</exception>
    public CausalLM Load(Device device, ScalarType dtype, QuantizedFormat? quantization = null)
    {
        var config = Config with { Quantization = quantization ?? Config.Quantization };
        RefuseOther(config);
        var normDtype = dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        bool toCard = device.type != TorchSharp.DeviceType.CPU;
        var weights = new WeightSet(config, Place, spec =>
        {
            var weight = Quantized(spec, config.Quantization!);
            if (!toCard)
            {
                return weight;
            }

            using (weight)
            {
                return weight.ToCard(device);
            }
        });
        try
        {
            Read(weights);
            return new CausalLM(config, weights);
        }
        catch
        {
            weights.Dispose();
            throw;
        }

        Tensor Place(WeightSpec spec)
        {
            var held = spec.IsNorm ? normDtype : dtype;
            return toCard ? empty(spec.Shape.AsSpan(), held, device) : TensorMemory.ToBeFilled(spec.Shape.AsSpan(), held);
        }
    }

    private bool IsQuantized(WeightSpec spec) => Config.Quantization is not null && spec.IsProjection;

    private void RefuseOther(ModelConfig config)
    {
        if (Config.Quantization is { } stored && config.Quantization != stored)
        {
            throw new UserErrorException($"{Path}: holds {stored} weights already, of which {config.Quantization} cannot be made; take the folder that they were made of.");
        }

        if (config.Quantization is { } wanted && QuantizedModel.WhyNot(config) is { } reason)
        {
            throw new UserErrorException($"{Path}: cannot be held in {wanted}: {reason}.");
        }
    }

    // A matrix in few bits, on the CPU: as it is stored, or made of what is stored.
    private QuantizedWeight Quantized(WeightSpec spec, QuantizedFormat format)
    {
        using var scope = NewDisposeScope();
        if (!IsQuantized(spec))
        {
            return Quantizer.Quantize(Read(spec), format, $"{Path}: {spec.Name}");
        }

        string codes = Format.Names.Theirs(spec.Name);
        return new QuantizedWeight(format, _checkpoint.Read(codes), _checkpoint.Read(codes + QuantizedFormat.ScaleSuffix));
    }

    // In the files' order, for the disk's sake.
    private void Read(WeightSet weights)
    {
        var reads = new TensorReads();
        var places = Tensors.Keys.Select((name, i) => (name, i)).ToDictionary(p => p.name, p => p.i, StringComparer.Ordinal);
        foreach (var (spec, tensor) in weights.All.OrderBy(w => places[_stored[w.Spec.Name].TensorName]))
        {
            var stored = _stored[spec.Name];
            reads.Add(_checkpoint.Holding(stored.TensorName), stored.TensorName, tensor, stored.FirstRow);
        }

        reads.Run();
    }

    /// <inheritdoc />
    public void Dispose() => _checkpoint.Dispose();

    private void CheckTiedHead()
    {
        string head = Format.Names.Theirs(WeightLayout.Head);
        if (!Config.TieWordEmbeddings || !_checkpoint.Entries.ContainsKey(head))
        {
            return;
        }

        string embedding = _stored[WeightLayout.Embedding].TensorName;
        if (!_checkpoint.AreEqual(head, embedding))
        {
            throw new UserErrorException(
                $"{_checkpoint.FileOf(head)}: tensor '{head}' differs from '{embedding}' though config.json ties them; set tie_word_embeddings to false or drop the tensor.");
        }
    }
}
