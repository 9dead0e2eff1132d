using static TorchSharp.torch;

namespace T2R.Ops.GatedSlot;

/// <summary>The inputs as the kernel reads them: contiguous fp32 on the CPU.</summary>
internal sealed record CpuInputs(CpuSizes Sizes, Tensor Queries, Tensor Keys, Tensor Values, Tensor Write, Tensor LogForget, Tensor? DocumentStarts);
