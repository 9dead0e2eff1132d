using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>What the forward kernel writes, and the backward reads again.</summary>
/// <param name="Output">[B, T, H, V].</param>
/// <param name="Final">The state after the last token.</param>
/// <param name="Probabilities">The softmax over the slots [B, T, H, M]; null when no backward will follow.</param>
/// <param name="States">The padded state before each block and after the last [B · Hkv, blocks + 1, state]; null when no backward will follow.</param>
internal sealed record CpuResults(Tensor Output, GatedSlotState Final, Tensor? Probabilities, Tensor? States);
