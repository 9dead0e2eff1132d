using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using T2R.Checkpoints;
using T2R.Interop;
using T2R.Mixers;
using T2R.Models;
using T2R.Models.Mistral;
using T2R.Models.Recurrent;
using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Conversion;

/// <summary>
/// Writes a model's folder, whole or not at all: weights in shards under their format's names, config.json, generation_config.json, the tokenizer's files. A model
/// with a gated slot layer becomes a <c>GSAForCausalLM</c> folder, a transformer a <c>MistralForCausalLM</c> folder.
/// </summary>
public sealed class FolderWriter : IDisposable
{
    private const string ConfigFile = "config.json";
    private const string GenerationConfigFile = "generation_config.json";

    private static readonly string[] TokenizerFiles = ["tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"];

    private static readonly JsonSerializerOptions JsonStyle = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ModelConfig _config;
    private readonly Func<WeightSpec, ScalarType> _dtype;
    private readonly StagedFolder _folder;
    private readonly CheckpointWriter _weights;
    private readonly WeightNames _names;

    /// <summary>Begins a folder: everything but the weights is written, aside.</summary>
    /// <param name="path">The folder to make.</param>
    /// <param name="replace">Whether a model's folder that is there already is replaced.</param>
    /// <param name="config">The model.</param>
    /// <param name="dtype">What each weight is stored in, unless the model is to be in few bits and it is a block's matrix.</param>
    /// <param name="companions">A folder whose tokenizer and generation_config.json are copied; null for none.</param>
    /// <param name="flush">Whether to wait for the disk in the end: see <see cref="StagedFolder"/>.</param>
    /// <exception cref="UserErrorException">The folder exists and must not, or cannot, be replaced.</exception>
    /// <exception cref="IOException">The disk has no room.</exception>
    public FolderWriter(string path, bool replace, ModelConfig config, Func<WeightSpec, ScalarType> dtype, string? companions, bool flush)
    {
        CheckTarget(path, replace, companions);
        bool recurrent = config.Mixers.Any(m => m is GatedSlotAttentionConfig);
        (_config, _dtype, _names) = (config, dtype, recurrent ? GatedSlotNames.Table : MistralNames.Table);
        string stored = DtypeName.Of(dtype(WeightLayout.Of(config)[0]));
        _folder = new StagedFolder(path, replace, flush);
        try
        {
            _weights = new CheckpointWriter(_folder, [.. WeightLayout.Of(config).SelectMany(Tensors)]);
            WriteText(ConfigFile, Json(recurrent ? GatedSlotFormat.WriteConfig(config, stored) : MistralFormat.WriteConfig(config, stored)));
            CopyCompanions(companions);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Checks that a folder can be made, or replaced; writes nothing.</summary>
    /// <param name="path">The folder to make.</param>
    /// <param name="replace">Whether a model's folder that is there already is replaced.</param>
    /// <param name="companions">A folder that is read for it, which must not be replaced; null for none.</param>
    /// <exception cref="UserErrorException">It exists and must not, or cannot, be replaced.</exception>
    public static void CheckTarget(string path, bool replace, string? companions)
    {
        RefuseToDestroy(path, replace, companions);
        if (!replace && File.Exists(Path.Combine(path, ConfigFile)))
        {
            throw new UserErrorException($"{path}: the folder exists and holds a model; replace it with --force, or choose another one.");
        }

        StagedFolder.RefuseIfTaken(Path.GetFullPath(path), replace);
    }

    /// <summary>Bytes of all weights.</summary>
    public long TotalBytes => _weights.TotalBytes;

    /// <summary>Bytes of the weights written so far.</summary>
    public long WrittenBytes { get; private set; }

    /// <summary>What the folder's format calls a weight.</summary>
    /// <param name="spec">The weight.</param>
    public string NameOf(WeightSpec spec) => _names.Theirs(spec.Name);

    /// <summary>Writes a weight, rounded to its stored dtype, or codes, if it is of another; best in the layout's order.</summary>
    /// <param name="spec">Which weight.</param>
    /// <param name="tensor">Its value, on any device; a contiguous CPU tensor of the stored dtype goes to the disk without a copy.</param>
    /// <exception cref="UserErrorException">It is to be codes, and a number in it is not finite.</exception>
    public void Write(WeightSpec spec, Tensor tensor)
    {
        using var scope = NewDisposeScope();
        if (Quantization(spec) is { } quantization)
        {
            using var quantized = Quantizer.Quantize(tensor, quantization, NameOf(spec));
            _weights.Write(NameOf(spec), quantized.Codes);
            _weights.Write(NameOf(spec) + QuantizedFormat.ScaleSuffix, quantized.Scales);
        }
        else
        {
            _weights.Write(NameOf(spec), tensor.to(_dtype(spec)));
        }

        WrittenBytes += Tensors(spec).Sum(t => t.ByteCount);
    }

    /// <summary>Writes a weight that is made on the spot, in pieces, each drawn and written by one of libtorch's CPU threads.</summary>
    /// <param name="spec">Which weight.</param>
    /// <param name="fill">Given the number of a piece's first element, a multiple of 32 768, fills the piece with bytes of the stored dtype; several threads call it.</param>
    internal void Fill(WeightSpec spec, Action<long, Span<byte>> fill)
    {
        int size = DtypeName.Bytes(_dtype(spec));
        _weights.Fill(NameOf(spec), (offset, bytes) => fill(offset / size, bytes));
        WrittenBytes += spec.Count * size;
    }

    /// <summary>Writes a weight of another folder, file to file and without libtorch if it is stored there alike.</summary>
    /// <param name="spec">Which weight.</param>
    /// <param name="source">Where it is.</param>
    public void Copy(WeightSpec spec, ModelFolder source)
    {
        var stored = source.Stored(spec);
        if (stored.Rows is not null || source.Tensors[stored.TensorName].Dtype != _dtype(spec))
        {
            LibTorch.Load();
            using var weight = source.Read(spec);
            Write(spec, weight);
            return;
        }

        _weights.Copy(NameOf(spec), source.Checkpoint, stored.TensorName);
        WrittenBytes += spec.Count * DtypeName.Bytes(_dtype(spec));
    }

    /// <summary>Writes a text file beside the weights.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="text">Its content.</param>
    public void WriteText(string name, string text) => File.WriteAllText(Path.Combine(_folder.Path, name), text);

    /// <summary>Gives the folder its name; every weight must have been written.</summary>
    public void Commit()
    {
        _weights.Finish();
        _folder.Commit();
    }

    /// <summary>Removes whatever was not committed.</summary>
    public void Dispose()
    {
        _weights?.Dispose();
        _folder.Dispose();
    }

    // Replacing deletes a folder, so it must be a model's, and not the one being read.
    private static void RefuseToDestroy(string path, bool replace, string? companions)
    {
        if (!replace || !Directory.Exists(path))
        {
            return;
        }

        string target = Real(path);
        if (companions is not null && (Real(companions) + Path.DirectorySeparatorChar).StartsWith(target + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            throw new UserErrorException($"{path}: replacing this folder would delete the source {companions}; choose another one.");
        }

        if (Directory.EnumerateFileSystemEntries(target).Any() && !File.Exists(Path.Combine(target, ConfigFile)))
        {
            throw new UserErrorException($"{path}: the folder is not empty and holds no {ConfigFile}, so it is not a model's and is not replaced; remove it first or choose another one.");
        }
    }

    private static string Real(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        return Directory.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full;
    }

    private QuantizedFormat? Quantization(WeightSpec spec) => spec.IsProjection ? _config.Quantization : null;

    // What a weight is stored as.
    private IEnumerable<TensorSpec> Tensors(WeightSpec spec) => Quantization(spec) is not { } quantization
        ? [new TensorSpec(NameOf(spec), _dtype(spec), spec.Shape)]
        :
        [
            new TensorSpec(NameOf(spec), quantization.CodeDtype, quantization.CodeShape(spec.Shape[0], spec.Shape[1])),
            new TensorSpec(NameOf(spec) + QuantizedFormat.ScaleSuffix, ScalarType.BFloat16, QuantizedFormat.ScaleShape(spec.Shape[0], spec.Shape[1])),
        ];

    private static string Json(JsonObject json) => json.ToJsonString(JsonStyle) + "\n";

    private void CopyCompanions(string? companions)
    {
        foreach (string name in companions is null ? [] : TokenizerFiles.Append(GenerationConfigFile).Where(n => File.Exists(Path.Combine(companions, n))))
        {
            // Not File.Copy, which would make the copy of a read-only file read-only.
            File.WriteAllBytes(Path.Combine(_folder.Path, name), File.ReadAllBytes(Path.Combine(companions!, name)));
        }

        if (!File.Exists(Path.Combine(_folder.Path, GenerationConfigFile)))
        {
            WriteText(GenerationConfigFile, Json(new JsonObject { ["bos_token_id"] = _config.BosTokenId, ["eos_token_id"] = BoundaryIds.Json(_config.EosTokenIds) }));
        }
    }
}
