using System.Collections.Immutable;
using T2R.Checkpoints;
using T2R.Ops.Quantized;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>
/// Matches a model's layout with a folder's tensors, strictly both ways: every weight must be there with its shape, and every tensor must be some weight. A tied
/// head that is also stored is accepted when it equals the embedding.
/// </summary>
internal static class StoredWeights
{
    public static IReadOnlyDictionary<string, StoredWeight> Locate(ModelConfig config, IFolderFormat format, CheckpointFolder checkpoint, Problems problems)
    {
        var stored = new Dictionary<string, StoredWeight>(StringComparer.Ordinal);
        var layout = WeightLayout.Of(config).ToDictionary(s => s.Name, StringComparer.Ordinal);
        foreach (var entry in checkpoint.Entries.Values)
        {
            string? ours = format.Names.Ours(entry.Name);
            if (config.Quantization is not null && IsScale(entry.Name, format, layout))
            {
                continue;
            }

            if (ours is not null && layout.ContainsKey(ours))
            {
                if (!stored.TryAdd(ours, new StoredWeight(entry.Name)))
                {
                    problems.Add($"{checkpoint.FileOf(entry.Name)}: tensor '{entry.Name}' and tensor '{stored[ours].TensorName}' are the same weight; keep one.");
                }
            }
            else if (!(ours == WeightLayout.Head && config.TieWordEmbeddings) && !format.Ignores(entry.Name))
            {
                problems.Add($"{checkpoint.FileOf(entry.Name)}: tensor '{entry.Name}' is not part of a {format.Name} model of this config; config.json and the weights do not belong together.");
            }
        }

        foreach (var spec in layout.Values)
        {
            if (format.MayFuseGateAndUp && spec.Name.EndsWith("mlp.gate_proj.weight", StringComparison.Ordinal))
            {
                SplitFusedGate(spec, stored, checkpoint);
            }

            if (config.Quantization is { } quantization && spec.IsProjection)
            {
                CheckQuantized(quantization, spec, format, checkpoint, problems);
            }
            else
            {
                Check(spec, stored, format, checkpoint, problems);
            }
        }

        return stored;
    }

    private static bool IsScale(string name, IFolderFormat format, Dictionary<string, WeightSpec> layout) =>
        name.EndsWith(QuantizedFormat.ScaleSuffix, StringComparison.Ordinal)
        && format.Names.Ours(name[..^QuantizedFormat.ScaleSuffix.Length]) is { } ours && layout.TryGetValue(ours, out var spec) && spec.IsProjection;

    private static void CheckQuantized(QuantizedFormat quantization, WeightSpec spec, IFolderFormat format, CheckpointFolder checkpoint, Problems problems)
    {
        string codes = format.Names.Theirs(spec.Name);
        Check(codes, quantization.CodeDtype, quantization.CodeShape(spec.Shape[0], spec.Shape[1]));
        Check(codes + QuantizedFormat.ScaleSuffix, ScalarType.BFloat16, QuantizedFormat.ScaleShape(spec.Shape[0], spec.Shape[1]));

        void Check(string name, ScalarType dtype, ImmutableArray<long> shape)
        {
            if (!checkpoint.Entries.TryGetValue(name, out var entry))
            {
                problems.Add($"{checkpoint.Path}: tensor '{name}' is missing, expected {ElementType.Name(dtype)} [{string.Join(", ", shape)}] by quantization_config.");
            }
            else if (entry.Dtype != dtype || !entry.Shape.SequenceEqual(shape))
            {
                problems.Add(
                    $"{checkpoint.FileOf(name)}: tensor '{name}' is {ElementType.Name(entry.Dtype)} [{string.Join(", ", entry.Shape)}], expected {ElementType.Name(dtype)} [{string.Join(", ", shape)}] by quantization_config.");
            }
        }
    }

    // Older GSA files stack gate over up, [2·I, D], and have no up_proj.
    private static void SplitFusedGate(WeightSpec gate, Dictionary<string, StoredWeight> stored, CheckpointFolder checkpoint)
    {
        string up = gate.Name.Replace("gate_proj", "up_proj", StringComparison.Ordinal);
        if (stored.TryGetValue(gate.Name, out var fused) && !stored.ContainsKey(up)
            && checkpoint.Entries[fused.TensorName].Shape.AsSpan().SequenceEqual([2 * gate.Shape[0], gate.Shape[1]]))
        {
            stored[gate.Name] = new StoredWeight(fused.TensorName, 0, gate.Shape[0]);
            stored[up] = new StoredWeight(fused.TensorName, gate.Shape[0], gate.Shape[0]);
        }
    }

    private static void Check(
        WeightSpec spec, Dictionary<string, StoredWeight> stored, IFolderFormat format, CheckpointFolder checkpoint, Problems problems)
    {
        if (!stored.TryGetValue(spec.Name, out var found))
        {
            problems.Add($"{checkpoint.Path}: tensor '{format.Names.Theirs(spec.Name)}' is missing, expected shape [{string.Join(", ", spec.Shape)}].");
            return;
        }

        var entry = checkpoint.Entries[found.TensorName];
        if (found.Rows is null && !entry.Shape.AsSpan().SequenceEqual(spec.Shape.AsSpan()))
        {
            problems.Add(
                $"{checkpoint.FileOf(entry.Name)}: tensor '{entry.Name}' has shape [{string.Join(", ", entry.Shape)}], expected [{string.Join(", ", spec.Shape)}] by config.json.");
        }

        if (entry.Dtype is not (ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16 or ScalarType.Float64))
        {
            problems.Add($"{checkpoint.FileOf(entry.Name)}: tensor '{entry.Name}' holds {ElementType.Name(entry.Dtype)}, expected F64, F32, F16 or BF16 weights; take the checkpoint that it was made of.");
        }
    }
}
