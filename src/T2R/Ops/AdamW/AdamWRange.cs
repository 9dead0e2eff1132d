using static TorchSharp.torch;

namespace T2R.Ops.AdamW;

/// <summary>Elements of a weight, side by side, that step together. All tensors are contiguous and on one device.</summary>
/// <param name="Weight">The whole weight, fp32 or bf16, of any shape; changed in place.</param>
/// <param name="Gradient">Its whole gradient, fp32 or bf16.</param>
/// <param name="State">What is remembered of the range alone, in its tensors' first numbers.</param>
/// <param name="Step">The constants.</param>
/// <param name="First">The first element that steps, a multiple of <see cref="EightBitCode.Block"/>.</param>
/// <param name="Count">How many step.</param>
internal sealed record AdamWRange(Tensor Weight, Tensor Gradient, AdamWState State, AdamWStep Step, long First, long Count)
{
    /// <summary>All of a weight.</summary>
    public static AdamWRange Whole(Tensor weight, Tensor gradient, AdamWState state, in AdamWStep step) => new(weight, gradient, state, step, 0, weight.numel());

    /// <summary>Checks that types, sizes and places fit each other.</summary>
    /// <exception cref="ArgumentException">They do not.</exception>
    public void Check()
    {
        RequireType(Weight, "the weight");
        RequireType(Gradient, "the gradient");
        if (State.Master is not null && (Weight.dtype != ScalarType.BFloat16 || State.Format != MomentFormat.Float32))
        {
            throw new ArgumentException($"a master is for a bf16 weight with fp32 moments; the weight is {Weight.dtype}, the moments are {State.Format}");
        }

        long total = Weight.numel(), blocks = (Count + EightBitCode.Block - 1) / EightBitCode.Block;
        if (First < 0 || First % EightBitCode.Block != 0 || Count < 0 || First + Count > total || Gradient.numel() != total)
        {
            throw new ArgumentException($"{Count} elements from {First} on of a weight of {total} and a gradient of {Gradient.numel()}: they begin at a multiple of {EightBitCode.Block}, and both have them");
        }

        var moments = AdamWOperator.TypeOf(State.Format);
        Require(Weight, total, Weight.dtype, "the weight");
        Require(Gradient, total, Gradient.dtype, "the gradient");
        Require(State.Mean, Count, moments, "m");
        Require(State.Spread, Count, moments, "v");
        if (State.Master is not null)
        {
            Require(State.Master, Count, ScalarType.Float32, "the master");
        }

        if (State.Format == MomentFormat.EightBit)
        {
            Require(State.MeanScale, blocks, ScalarType.Float32, "the scales of m");
            Require(State.SpreadScale, blocks, ScalarType.Float32, "the scales of √v");
        }
    }

    private static void RequireType(Tensor tensor, string what)
    {
        if (tensor.dtype is not (ScalarType.Float32 or ScalarType.BFloat16))
        {
            throw new ArgumentException($"{what} is {tensor.dtype}; AdamW steps fp32 and bf16");
        }
    }

    private void Require(Tensor? tensor, long count, ScalarType dtype, string what)
    {
        if (tensor is null || tensor.numel() < count || tensor.dtype != dtype || !tensor.is_contiguous() || tensor.device_type != Weight.device_type || tensor.device_index != Weight.device_index)
        {
            string found = tensor is null ? "nothing" : $"{tensor.numel()} of {tensor.dtype} on {tensor.device}{(tensor.is_contiguous() ? "" : ", not side by side")}";
            throw new ArgumentException($"{what}: expected {count} numbers of {dtype} side by side on {Weight.device}, found {found}");
        }
    }
}
