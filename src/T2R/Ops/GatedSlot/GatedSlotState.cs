using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>What one gated-slot layer remembers: constant in size, whatever the length of the text.</summary>
/// <param name="Keys">[B, Hkv, K, M], fp32 (fp64 when the inputs are fp64).</param>
/// <param name="Values">[B, Hkv, M, V], of the same type.</param>
public sealed record GatedSlotState(Tensor Keys, Tensor Values)
{
    /// <summary>The state before the first token.</summary>
    /// <param name="batch">Sequences, B.</param>
    /// <param name="keyValueHeads">Key-value heads, Hkv.</param>
    /// <param name="keyDim">Width of a key, K.</param>
    /// <param name="slots">Slots, M.</param>
    /// <param name="valueDim">Width of a value, V.</param>
    /// <param name="dtype">float32 or float64.</param>
    /// <param name="device">Where the layer runs.</param>
    public static GatedSlotState Zeros(long batch, long keyValueHeads, long keyDim, long slots, long valueDim, ScalarType dtype, Device device) =>
        new(
            torch.zeros([batch, keyValueHeads, keyDim, slots], dtype, device),
            torch.zeros([batch, keyValueHeads, slots, valueDim], dtype, device));
}
