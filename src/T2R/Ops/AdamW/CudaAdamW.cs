using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops.AdamW;

/// <summary>The step on a card, by the kernels of <c>AdamW.cu</c>. The same bits as <see cref="CpuAdamW"/>.</summary>
internal static class CudaAdamW
{
    private const int Threads = 256; // 8 warps, each a block of 256 elements
    private const int BlocksAtOnce = Threads / 32;
    private const string File = "Ops/AdamW/AdamW.cu";

    /// <summary>Compiles the kernels, or reads them from the cache, before the first step needs them.</summary>
    /// <exception cref="DllNotFoundException">There is no compiler; says what to install.</exception>
    /// <exception cref="InvalidOperationException">They do not compile; holds the compiler's words.</exception>
    public static void Load() => CudaModule.Of(File);

    /// <summary>Puts the step of a range of elements into a stream.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="weight">The whole weight.</param>
    /// <param name="gradient">Its whole gradient.</param>
    /// <param name="first">The first element that steps, a multiple of 256.</param>
    /// <param name="count">How many step.</param>
    /// <param name="state">Of that range: its first <paramref name="count"/> numbers.</param>
    /// <param name="step">The constants.</param>
    public static void Run(CudaStream stream, Tensor weight, Tensor gradient, long first, long count, AdamWState state, in AdamWStep step)
    {
        long blocks = (count + EightBitCode.Block - 1) / EightBitCode.Block;
        Kernel(weight, gradient, state).Launch(
            stream,
            checked((int)((blocks + BlocksAtOnce - 1) / BlocksAtOnce)),
            Threads,
            KernelArgument.Element(weight, first),
            KernelArgument.Element(gradient, first),
            state.Mean,
            state.Spread,
            KernelArgument.Element(state.MeanScale, 0),
            KernelArgument.Element(state.SpreadScale, 0),
            KernelArgument.Element(state.Master, 0),
            count,
            checked((uint)first),
            step.Beta1,
            step.Fresh1,
            step.Beta2,
            step.Fresh2,
            step.Correction1,
            step.Correction2,
            step.Epsilon,
            step.Rate,
            step.Decay,
            step.GradientScale,
            step.Bound,
            (uint)step.Key,
            (uint)(step.Key >> 32));
    }

    private static CudaKernel Kernel(Tensor weight, Tensor gradient, AdamWState state)
    {
        string moments = state.Format switch
        {
            MomentFormat.Float32 => "f32",
            MomentFormat.BFloat16 => "bf16",
            MomentFormat.EightBit => "8bit",
            var other => throw new ArgumentOutOfRangeException(nameof(state), other, "no such format"),
        };
        return CudaModule.Of(File).Kernel($"adamw_{(state.Master is null ? Name(weight) : "master")}_{Name(gradient)}_{moments}");
    }

    private static string Name(Tensor tensor) => tensor.dtype == ScalarType.BFloat16 ? "bf16" : "f32";
}
