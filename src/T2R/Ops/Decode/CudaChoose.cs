using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops.Decode;

/// <summary>Chooses tokens where their logits are, by the kernel of <c>Choose.cu</c>.</summary>
internal static class CudaChoose
{
    /// <summary>Sequences of a launch.</summary>
    public const int MostSequences = 64;

    private const int Threads = 1024;
    private static readonly PerCard<(CudaModule Module, int SharedBytes)> Loaded = new(device =>
    {
        var module = CudaModule.Of(device, "Ops/Decode/Choose.cu");
        return (module, module.Constants("choose_shared")[0]);
    });

    /// <summary>Puts the choice into torch's stream of the card where the logits are.</summary>
    /// <param name="logits">fp32 <c>[rows, V]</c>, dense.</param>
    /// <param name="choices">One a sequence, at most <see cref="MostSequences"/>.</param>
    /// <param name="ids">int32, receives an id a sequence; −1 where logits are not finite numbers.</param>
    public static void Run(Tensor logits, ReadOnlySpan<Choice> choices, Tensor ids)
    {
        var arguments = new Arguments { Logits = CudaUnits.Address(logits), Ids = CudaUnits.Address(ids), Stride = (int)logits.shape[1] };
        choices.CopyTo(arguments.Choices);
        var (module, sharedBytes) = Loaded[logits.device_index];
        module.Kernel("choose").Launch(CudaStream.Torch(logits.device_index), choices.Length, Threads, sharedBytes, arguments);
    }

    /// <summary>How a sequence's token is chosen, as in <c>Choose.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Choice
    {
        public ulong Seed;
        public long Draw;
        public double Temperature, TopP, MinP;
        public int TopK, Row, Vocabulary;
    }

    [InlineArray(MostSequences)]
    private struct PerSequence
    {
        private Choice _first;
    }

    // Choose.cu
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public nint Logits, Ids;
        public int Stride;
        public PerSequence Choices;
    }
}
