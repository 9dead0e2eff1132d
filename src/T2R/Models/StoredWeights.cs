using T2R.Checkpoints;

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

            Check(spec, stored, format, checkpoint, problems);
        }

        return stored;
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

        if (entry.Dtype is not (TorchSharp.torch.ScalarType.Float32 or TorchSharp.torch.ScalarType.BFloat16 or TorchSharp.torch.ScalarType.Float16 or TorchSharp.torch.ScalarType.Float64))
        {
            problems.Add($"{checkpoint.FileOf(entry.Name)}: tensor '{entry.Name}' holds {entry.Dtype}; expected floating-point weights.");
        }
    }
}
