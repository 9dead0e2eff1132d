using T2R.Interop.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.AdamW;

/// <summary>
/// A step of AdamW in one pass over memory: weight and moments in place, no second copy of anything, the gradient left as it is. CPU and card give the same bits.
/// </summary>
internal static class AdamWOperator
{
    /// <summary>Steps a weight.</summary>
    /// <param name="weight">fp32 or bf16, of any shape; contiguous.</param>
    /// <param name="gradient">Of the same shape and device, fp32 or bf16; contiguous, or a copy is made.</param>
    /// <param name="state">What is remembered of the whole weight.</param>
    /// <param name="step">The constants.</param>
    /// <exception cref="ArgumentException">Types or sizes do not fit.</exception>
    public static void Step(Tensor weight, Tensor gradient, AdamWState state, in AdamWStep step)
    {
        using var dense = gradient.contiguous();
        Check(weight, dense, state);
        if (weight.device_type == DeviceType.CUDA)
        {
            CudaAdamW.Run(CudaStream.Torch, weight, dense, 0, weight.numel(), state, step);
        }
        else
        {
            CpuAdamW.Run(weight, dense, state, step);
        }
    }

    /// <summary>Checks that types and sizes fit each other.</summary>
    /// <exception cref="ArgumentException">They do not.</exception>
    internal static void Check(Tensor weight, Tensor gradient, AdamWState state)
    {
        RequireType(weight, "the weight");
        RequireType(gradient, "the gradient");
        if (state.Master is not null && (weight.dtype != ScalarType.BFloat16 || state.Format != MomentFormat.Float32 || state.Master.dtype != ScalarType.Float32))
        {
            throw new ArgumentException($"a master is for a bf16 weight with fp32 moments; the weight is {weight.dtype}, the moments are {state.Format}", nameof(state));
        }

        ScalarType moments = TypeOf(state.Format);
        long count = weight.numel(), blocks = (count + EightBitCode.Block - 1) / EightBitCode.Block;
        RequireCount(gradient, count, gradient.dtype, "the gradient");
        RequireCount(state.Mean, count, moments, "m");
        RequireCount(state.Spread, count, moments, "v");
        if (state.Master is not null)
        {
            RequireCount(state.Master, count, ScalarType.Float32, "the master");
        }

        if (state.Format == MomentFormat.EightBit)
        {
            RequireCount(state.MeanScale, blocks, ScalarType.Float32, "the scales of m");
            RequireCount(state.SpreadScale, blocks, ScalarType.Float32, "the scales of √v");
        }
    }

    /// <summary>The type that one moment's numbers are stored in.</summary>
    /// <param name="format">How moments are stored.</param>
    public static ScalarType TypeOf(MomentFormat format) => format switch
    {
        MomentFormat.Float32 => ScalarType.Float32,
        MomentFormat.BFloat16 => ScalarType.BFloat16,
        MomentFormat.EightBit => ScalarType.Byte,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "no such format"),
    };

    private static void RequireType(Tensor tensor, string what)
    {
        if (tensor.dtype is not (ScalarType.Float32 or ScalarType.BFloat16))
        {
            throw new ArgumentException($"{what} is {tensor.dtype}; AdamW steps fp32 and bf16");
        }
    }

    private static void RequireCount(Tensor? tensor, long count, ScalarType dtype, string what)
    {
        if (tensor is null || tensor.numel() != count || tensor.dtype != dtype)
        {
            throw new ArgumentException($"{what}: expected {count} numbers of {dtype}, found {(tensor is null ? "nothing" : $"{tensor.numel()} of {tensor.dtype}")}");
        }
    }
}
