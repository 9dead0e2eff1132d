using T2R.Interop.Cuda;
using T2R.Mixers;
using T2R.Ops;
using T2R.Ops.GatedSlot;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Models;

/// <summary>Says where a model on a card runs as tensor operators, because no kernel of T2R's own takes it; the results are the same, and come later.</summary>
public static class MissingKernels
{
    /// <summary>A sentence for each part of a model that has none on a device.</summary>
    /// <param name="config">The model.</param>
    /// <param name="dtype">Type of its matrices.</param>
    /// <param name="device">Where it runs; nothing is missing on a CPU.</param>
    /// <exception cref="InvalidOperationException">Kernels do not compile; holds the compiler's words.</exception>
    public static IReadOnlyList<string> On(ModelConfig config, ScalarType dtype, Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.type != DeviceType.CUDA ? []
            : !CudaUnits.Fits(dtype) ? OfShape(config, dtype)
            : CudaUnits.Lack(CudaDevice.IndexOf(device)) is { } lack ? [$"the model runs as tensor operators, which take longer, for there are no kernels of T2R's own on this card: {lack.TrimEnd('.')}."]
            : Sentences(config, (headDim, slots) => CudaKernels.Of(CudaDevice.IndexOf(device), dtype, headDim, headDim, slots, maps: true).Lack);
    }

    /// <summary>Likewise of parts that have none on any card.</summary>
    /// <param name="config">The model.</param>
    /// <param name="dtype">Type of its matrices.</param>
    public static IReadOnlyList<string> OfShape(ModelConfig config, ScalarType dtype) => CudaUnits.Fits(dtype)
        ? Sentences(config, (headDim, slots) => CudaKernels.Unfit(headDim, headDim, slots))
        : [$"the model runs as tensor operators, which take longer: T2R's kernels compute in bf16 or fp16, and dtype is {DtypeName.Of(dtype)}."];

    private static IReadOnlyList<string> Sentences(ModelConfig config, Func<int, int, string?> lackOfSlots)
    {
        ArgumentNullException.ThrowIfNull(config);
        var slots = config.Mixers.OfType<GatedSlotAttentionConfig>().ToList();
        var attention = slots.Select(m => lackOfSlots(m.HeadDim, m.Slots)).Distinct().OfType<string>()
            .Select(lack => $"gated slot attention runs as tensor operators, which take longer: {lack}.");
        var norms = slots.Select(m => m.QuerySize).Prepend(config.HiddenSize).Distinct().Where(width => !CudaRmsNorm.Fits(width))
            .Select(width => $"norms of {width} numbers run as tensor operators, which take longer: the kernels take multiples of 8 up to {CudaRmsNorm.MostWidth}.");
        var mlp = CudaSwiGlu.Fits(config.IntermediateSize) ? "" : $"the MLP, {config.IntermediateSize} wide, runs as tensor operators, which take longer: the kernels take multiples of 8.";
        return [.. attention, .. norms, .. new[] { mlp }.Where(s => s.Length > 0)];
    }
}
