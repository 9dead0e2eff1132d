using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops.AdamW;

/// <summary>The step on a card, by the kernels of <c>AdamW.cu</c>. The same bits as <see cref="CpuAdamW"/>.</summary>
internal static class CudaAdamW
{
    // Each of 8 warps takes a block of 256 elements, four times.
    private const int Threads = 256, BlockElements = Threads / 32 * EightBitCode.Block * 4, MostRanges = 16;
    private static readonly PerCard<CudaModule> Modules = new(device => CudaModule.Of(device, "Ops/AdamW/AdamW.cu"));

    /// <summary>Compiles the kernels for a card, or reads them from the cache, before the first step needs them.</summary>
    /// <param name="device">The card's index.</param>
    /// <exception cref="DllNotFoundException">There is no compiler; says what to install.</exception>
    /// <exception cref="InvalidOperationException">They do not compile; holds the compiler's words.</exception>
    public static void Load(int device) => _ = Modules[device];

    /// <summary>Puts steps into a stream: up to 16 ranges of the same types at once.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="ranges">What steps, on the stream's card; gradients are contiguous.</param>
    public static void Run(CudaStream stream, IEnumerable<AdamWRange> ranges)
    {
        foreach (var alike in ranges.GroupBy(KernelOf))
        {
            foreach (var some in alike.Chunk(MostRanges))
            {
                Launch(stream, Modules[stream.Device].Kernel(alike.Key), some);
            }
        }
    }

    private static void Launch(CudaStream stream, CudaKernel kernel, AdamWRange[] ranges)
    {
        var arguments = default(Arguments);
        int blocks = 0;
        for (int i = 0; i < MostRanges; i++)
        {
            arguments.Ranges[i] = i < ranges.Length ? Range.Of(ranges[i], blocks) : new Range { Start = int.MaxValue };
            blocks = i < ranges.Length ? checked(blocks + Blocks(ranges[i].Count)) : blocks;
        }

        kernel.Launch(stream, blocks, Threads, 0, arguments);
    }

    private static int Blocks(long count) => checked((int)((count + BlockElements - 1) / BlockElements));

    private static string KernelOf(AdamWRange range)
    {
        string moments = range.State.Format switch
        {
            MomentFormat.Float32 => "f32",
            MomentFormat.BFloat16 => "bf16",
            MomentFormat.EightBit => "8bit",
            var other => throw new ArgumentOutOfRangeException(nameof(range), other, "no such format"),
        };
        return $"adamw_{(range.State.Master is null ? Name(range.Weight) : "master")}_{Name(range.Gradient)}_{moments}";
    }

    private static string Name(Tensor tensor) => tensor.dtype == ScalarType.BFloat16 ? "bf16" : "f32";

    // AdamW.cu
    [StructLayout(LayoutKind.Sequential)]
    private struct Range
    {
        public nint Weight, Gradient, Mean, Spread, MeanScale, SpreadScale, Master;
        public long Count, First;
        public AdamWStep Step;
        public int Start;

        public static Range Of(AdamWRange range, int start) => new()
        {
            Weight = Element(range.Weight, range.First),
            Gradient = Element(range.Gradient, range.First),
            Mean = CudaUnits.Address(range.State.Mean),
            Spread = CudaUnits.Address(range.State.Spread),
            MeanScale = CudaUnits.Address(range.State.MeanScale),
            SpreadScale = CudaUnits.Address(range.State.SpreadScale),
            Master = CudaUnits.Address(range.State.Master),
            Count = range.Count,
            First = range.First,
            Step = range.Step,
            Start = start,
        };

        private static nint Element(Tensor tensor, long element) => CudaUnits.Address(tensor) + (nint)(element * tensor.element_size());
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public SomeRanges Ranges;
    }

    [InlineArray(MostRanges)]
    private struct SomeRanges
    {
        private Range _first;
    }
}
