using System.Runtime.InteropServices;
using T2R.Interop.Cuda;
using static TorchSharp.torch;

namespace T2R.Ops;

/// <summary><see cref="SumOfSquares"/> of bf16 and fp32 on a card: each number is read once, the same tensors give the same bits.</summary>
internal static class CudaSumOfSquares
{
    // Blocks enough to fill a card, and with a block's numbers few enough that a small tensor has few shares.
    private const int Threads = 256, SumThreads = 1024, MostBlocks = 1024;
    private const long BlockBytes = 1L << 14;
    private static readonly Lazy<CudaModule?> Module = new(() => CudaUnits.Load("Ops/SumOfSquares.cu"));

    /// <summary>Whether the kernels can read a tensor.</summary>
    public static bool Takes(Tensor x) => CudaUnits.IsOnCard(x) && x.dtype is ScalarType.BFloat16 or ScalarType.Float32 && Module.Value is not null;

    /// <inheritdoc cref="SumOfSquares.Of" />
    public static Tensor Of(IReadOnlyCollection<Tensor> tensors)
    {
        var device = tensors.First().device;
        using var shares = empty(tensors.Sum(Blocks), ScalarType.Float32, device);
        nint place = CudaUnits.Address(shares);
        foreach (var tensor in tensors)
        {
            using var scope = NewDisposeScope();
            var arguments = new Arguments { Numbers = CudaUnits.Address(CudaUnits.Dense(tensor)), Count = tensor.numel(), Shares = place };
            int blocks = Blocks(tensor);
            Module.Value!.Kernel(tensor.dtype == ScalarType.BFloat16 ? "squares_of_bf16" : "squares_of_f32").Launch(CudaStream.Torch, blocks, Threads, Threads / 32 * sizeof(float), arguments);
            place += blocks * sizeof(float);
        }

        var sum = empty([], ScalarType.Float64, device);
        var all = new Arguments { Count = shares.numel(), Shares = CudaUnits.Address(shares), Sum = CudaUnits.Address(sum) };
        Module.Value!.Kernel("sum_of_shares").Launch(CudaStream.Torch, 1, SumThreads, SumThreads * sizeof(double), all);
        return sum;
    }

    private static int Blocks(Tensor x) => (int)Math.Clamp((x.numel() * x.element_size()) / BlockBytes, 1, MostBlocks);

    // SumOfSquares.cu
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public nint Numbers;
        public long Count;
        public nint Shares, Sum;
    }
}
