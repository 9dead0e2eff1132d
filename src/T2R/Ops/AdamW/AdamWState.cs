using static TorchSharp.torch;

namespace T2R.Ops.AdamW;

/// <summary>What AdamW remembers of a weight, or of a range of its elements. All tensors are contiguous, on the weight's device, and changed in place; borrowed.</summary>
/// <param name="Format">How the moments are stored.</param>
/// <param name="Mean">m, one number for each element: fp32, bf16, or codes in uint8.</param>
/// <param name="Spread">v, or codes of √v, likewise.</param>
/// <param name="MeanScale">fp32, one for each 256 elements, the last of them perhaps fewer; null unless in eight bits.</param>
/// <param name="SpreadScale">Likewise of √v.</param>
/// <param name="Master">The weight in fp32, whose rounding a bf16 weight is; null when the weight itself steps.</param>
internal sealed record AdamWState(
    MomentFormat Format, Tensor Mean, Tensor Spread, Tensor? MeanScale = null, Tensor? SpreadScale = null, Tensor? Master = null);
