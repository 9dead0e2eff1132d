using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>What the backward kernel writes: the gradient of each input, in its shape.</summary>
internal sealed record CpuGradients(Tensor Queries, Tensor Keys, Tensor Values, Tensor Write, Tensor LogForget, GatedSlotState Initial);
