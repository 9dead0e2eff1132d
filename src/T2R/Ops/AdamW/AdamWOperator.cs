using T2R.Interop.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace T2R.Ops.AdamW;

/// <summary>
/// A step of AdamW in one pass over memory: weight and moments in place, no second copy of anything, the gradient left as it is. CPU and card give the same bits.
/// </summary>
internal static class AdamWOperator
{
    /// <summary>Steps weights.</summary>
    /// <param name="ranges">What steps, all on one device, no element twice. Of a gradient that is not contiguous a copy is made.</param>
    /// <exception cref="ArgumentException">Types, sizes or places do not fit.</exception>
    public static void Step(params IEnumerable<AdamWRange> ranges)
    {
        using var scope = NewDisposeScope();
        List<AdamWRange> dense = [.. ranges.Select(r => r with { Gradient = r.Gradient.contiguous() })];
        dense.ForEach(r => r.Check());
        if (dense.Count > 0 && dense[0].Weight.device_type == DeviceType.CUDA)
        {
            CudaAdamW.Run(CudaStream.Torch(dense[0].Weight.device_index), dense);
        }
        else
        {
            dense.ForEach(CpuAdamW.Run);
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
}
