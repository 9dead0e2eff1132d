using System.Runtime.InteropServices;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops.Quantized;

/// <summary>The numbers of a matrix in few bits that lies in the order of a card's kernels, by the kernel of <c>Dequantize.cu</c>: one pass.</summary>
internal static class CudaDequantize
{
    private const int Warps = 8;

    /// <summary>The numbers, <c>[O, I]</c>; null where there is no kernel.</summary>
    /// <param name="weight">In lanes' order.</param>
    /// <param name="dtype">Of the result.</param>
    public static Tensor? Run(QuantizedWeight weight, ScalarType dtype)
    {
        if (!CudaUnits.IsOnCard(weight.Codes) || !CudaUnits.Fits(dtype)
            || CudaUnits.Load(weight.Codes.device_index, "Ops/Quantized/Dequantize.cu", $"WEIGHTS={weight.Format.Bits}", CudaUnits.Definition(dtype)) is not { } module)
        {
            return null;
        }

        var numbers = empty([weight.Rows, weight.Columns], dtype, weight.Codes.device);
        long tiles = weight.Rows / LaneOrder.TileRows * (weight.Columns / QuantizedFormat.GroupLength);
        module.Kernel("dequantize").Launch(CudaStream.Torch(weight.Codes.device_index), checked((int)((tiles + Warps - 1) / Warps)), Warps * 32, 0, new Arguments
        {
            Codes = CudaUnits.Address(weight.Codes),
            Scales = CudaUnits.Address(weight.Scales),
            Numbers = CudaUnits.Address(numbers),
            Rows = weight.Rows,
            Depth = weight.Columns,
        });
        return numbers;
    }

    // Dequantize.cu
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public nint Codes, Scales, Numbers;
        public long Rows, Depth;
    }
}
