using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Recipes;

/// <summary>The weights that a run began with, for those that it does not train; the folder they are in is opened when the first is asked for.</summary>
/// <param name="runFolder">The run's folder, for errors.</param>
/// <param name="record">Says where they are.</param>
/// <param name="config">The trained model's shape.</param>
/// <param name="adapterSeed">Of adapters' numbers, for those that are not trained.</param>
internal sealed class StartWeights(string runFolder, RunRecord record, ModelConfig config, long adapterSeed) : IDisposable
{
    private ModelFolder? _folder;

    /// <summary>A weight as training held it, in the dtype it was trained beside; owned by the current dispose scope.</summary>
    /// <exception cref="UserErrorException">The folder is damaged, or holds other weights than when the run began.</exception>
    public Tensor Read(WeightSpec spec)
    {
        var dtype = spec.IsNorm ? ScalarType.Float32 : DtypeName.Parse(record.Dtype);
        if ((LoraConfig.IsAdapter(spec.Name) ? adapterSeed : record.Seed) is { } seed)
        {
            return new RandomWeight(config, spec, seed).Draw(dtype);
        }

        _folder ??= Open();
        using var view = _folder.Read(spec);
        return view.to(dtype, copy: true);
    }

    /// <inheritdoc />
    public void Dispose() => _folder?.Dispose();

    private ModelFolder Open()
    {
        var folder = ModelFolder.Open(record.Shape);
        if (record.Fingerprint is { } fingerprint && folder.Fingerprint() != fingerprint)
        {
            folder.Dispose();
            throw new UserErrorException($"{runFolder}: the run does not train every weight, and the others are those of {record.Shape}, which holds other weights now than when the run began; put the old ones back.");
        }

        return folder;
    }
}
