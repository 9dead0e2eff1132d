using T2R.Models;
using static TorchSharp.torch;

namespace T2R.Training.Optimizers;

/// <summary>Bytes that an optimizer remembers.</summary>
internal static class OptimizerMemory
{
    /// <summary>On the device the weights are on.</summary>
    public static long OnDevice(AdamWOptions options, IReadOnlyList<WeightSpec> trained, ScalarType dtype, bool onCard)
    {
        long all = trained.Sum(s => Of(options.Name, s, dtype));
        return options.Offload && onCard ? Math.Min(all, 3 * trained.Max(s => Of(options.Name, s, dtype))) : all;
    }

    /// <summary>Wherever it is.</summary>
    public static long Total(AdamWOptions options, IReadOnlyList<WeightSpec> trained, ScalarType dtype) => trained.Sum(s => Of(options.Name, s, dtype));

    private static long Of(OptimizerName name, WeightSpec spec, ScalarType dtype) => spec.IsNorm ? 8 * spec.Count : name switch
    {
        OptimizerName.AdamW => (DtypeName.Bytes(dtype) == 2 ? 12 : 8) * spec.Count,
        OptimizerName.AdamWBf16 => 4 * spec.Count,
        OptimizerName.AdamW8Bit => (2 * spec.Count) + (8 * ((spec.Count + 255) / 256)),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "no such optimizer"),
    };
}
